"""Runs a gateway, and changes what a running one serves."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tradewind.errors import BadUsage, CommandError
from tradewind.gateway import caddy, certificates
from tradewind.gateway.front import Front
from tradewind.gateway.program import Admin
from tradewind.gateway.settings import GatewaySettings, Private, read

_SERVED: Final = "caddy.json"
_STARTED: Final = "started.json"
_CERTIFICATES: Final = "certificates.json"
_WATCH_EVERY: Final = 1.0
_STARTS: Final = 20.0
_STOPS: Final = 35.0
"""Seconds: longer than a poll is held."""


def apply(settings: GatewaySettings, state: Path) -> None:
    """Let the gateway that runs with `state` serve this, with certificates as their files are now. Raises CommandError when it
    cannot, and it goes on as before."""
    started = _Started.read(state)
    if started is not None and started.listens != _listens(settings):
        raise BadUsage(
            "[public] listen, [people] listen, [private] or health differs from that of the gateway that runs",
            remedy="Restart `tradewind gateway run`: it opens the ports when it starts.",
        )
    document = caddy.document(settings, state, started.descriptors if started is not None else None)
    # Before loading: a file that is replaced meanwhile is read once more.
    marks = certificates.marks(certificates.files(settings))
    Admin(caddy.admin_socket(state)).load(document, read_again=marks != _read_marks(state))
    _write(state / _SERVED, json.dumps(document, indent=1))
    _write(state / _CERTIFICATES, json.dumps(marks))


def has_renewed_certificates(settings: GatewaySettings, state: Path) -> bool:
    """Whether files of certificates are others than the gateway that runs with `state` has read. Not while one of them is missing."""
    marks = certificates.marks(certificates.files(settings))
    return marks is not None and marks != _read_marks(state)


def _read_marks(state: Path) -> certificates.Marks | None:
    try:
        found: certificates.Marks | None = json.loads((state / _CERTIFICATES).read_text())
    except (FileNotFoundError, ValueError):
        return None  # it was started by a release that wrote none
    return found


async def run(
    settings: GatewaySettings,
    state: Path,
    program: Path,
    *,
    watched: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then let held requests end. Raises CommandError when Caddy does not start or ends.

    `watched`: the file that the settings are of. What it has later is served then, and certificates that were renewed; what cannot
    be is said, and the gateway goes on as before.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if Admin(caddy.admin_socket(state)).answers():
        raise BadUsage(f"a gateway runs with {state} already")
    sockets = _opened(settings)
    descriptors = {name: one.fileno() for name, one in sockets.items()}
    _write(state / _SERVED, json.dumps(caddy.document(settings, state, descriptors), indent=1))
    _write(state / _CERTIFICATES, json.dumps(certificates.marks(certificates.files(settings))))
    _Started(_listens(settings), descriptors).write(state)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    process = await asyncio.create_subprocess_exec(
        program,
        "run",
        "--config",
        state / _SERVED,
        env={**os.environ, "HOME": str(state), "XDG_DATA_HOME": str(state), "XDG_CONFIG_HOME": str(state)},
        pass_fds=tuple(descriptors.values()),
        start_new_session=True,  # Ctrl-C of a terminal is for this process, which stops Caddy in its time
    )
    for one in sockets.values():
        one.close()
    ended = asyncio.ensure_future(process.wait())
    front: tuple[Front, asyncio.Server] | None = None
    try:
        await _started(state, ended)
        if settings.private is not None:
            front = await _front(settings.private, state)
        say(_summary(settings, state))
        waiting = asyncio.ensure_future(stopped.wait())
        watching = None if watched is None else asyncio.ensure_future(_watch(watched, settings, state, say))
        await asyncio.wait({waiting, ended}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if watching is not None:
            watching.cancel()
        if ended.done():
            raise CommandError(f"Caddy ended with exit code {ended.result()}", remedy="Its reason is above.")
    finally:
        if front is not None:
            front[1].close()
        await _stop(process, ended)
        if front is not None:
            await front[0].close()
        _Started.remove(state)


async def _watch(file: Path, served: GatewaySettings, state: Path, say: Callable[[str], None]) -> None:
    """Serve what a file has, whenever that is another one. A ConfigMap's file is replaced, so that its contents are read."""
    refused = ""
    while True:
        await asyncio.sleep(_WATCH_EVERY)
        try:
            found = await asyncio.to_thread(read, file)
            if found == served and not await asyncio.to_thread(has_renewed_certificates, found, state):
                continue
            await asyncio.to_thread(apply, found, state)
        except CommandError as error:
            if error.message != refused:
                refused = error.message
                say(f"goes on as before: {refused}")
            continue
        served, refused = found, ""
        say(_summary(served, state))


async def _front(private: Private, state: Path) -> tuple[Front, asyncio.Server]:
    made = Front(private.balancers, caddy.private_socket(state))
    try:
        return made, await made.serve(private.listen)
    except OSError as error:
        raise CommandError(f"cannot listen at {private.listen}: {error.strerror or error}") from error


async def _started(state: Path, ended: asyncio.Future[int]) -> None:
    admin = Admin(caddy.admin_socket(state))
    until = asyncio.get_running_loop().time() + _STARTS
    while not await asyncio.to_thread(admin.answers):
        if ended.done():
            raise CommandError(
                f"Caddy does not start: exit code {ended.result()}", remedy="Its reason is above."
            )
        if asyncio.get_running_loop().time() > until:
            raise CommandError(f"Caddy has not started in {_STARTS:g} s", remedy="Its output is above.")
        await asyncio.wait({ended}, timeout=0.1)


async def _stop(process: asyncio.subprocess.Process, ended: asyncio.Future[int]) -> None:
    if ended.done():
        return
    process.terminate()
    await asyncio.wait({ended}, timeout=_STOPS)
    if not ended.done():
        process.kill()
        await ended


def _summary(settings: GatewaySettings, state: Path) -> str:
    ways = []
    if settings.public is not None:
        ways.append(f"the public way at {settings.public.listen}")
    if settings.private is not None:
        ways.append(
            f"private endpoints at {settings.private.listen}, for {', '.join(settings.private.balancers)}"
        )
    if settings.people is not None:
        ways.append(f"people at *.{settings.people.domain}, {settings.people.listen}")
    count = len(settings.deployments)
    scheme = "https" if settings.tls is not None else "http"
    return f"serving {count} Deployment{'s' if count != 1 else ''} at {scheme}://{settings.host}: {'; '.join(ways)}"


@dataclass(frozen=True)
class _Started:
    """What a gateway was started with, and an `apply` cannot change."""

    listens: dict[str, Any]
    descriptors: dict[str, int]  # of Caddy's sockets, by server

    def write(self, state: Path) -> None:
        _write(state / _STARTED, json.dumps(asdict(self)))

    @classmethod
    def read(cls, state: Path) -> _Started | None:
        try:
            return cls(**json.loads((state / _STARTED).read_text()))
        except FileNotFoundError:
            return None

    @staticmethod
    def remove(state: Path) -> None:
        (state / _STARTED).unlink(missing_ok=True)


def _listens(settings: GatewaySettings) -> dict[str, Any]:
    return {
        **settings.model_dump(mode="json", include={"public", "private", "health"}),
        "people": settings.people.listen if settings.people is not None else None,
    }


def _opened(settings: GatewaySettings) -> dict[str, socket.socket]:
    """The sockets of the ways that Caddy accepts connections of. Raises CommandError."""
    wanted = {
        "public": settings.public.listen if settings.public is not None else None,
        "health": settings.health,
        "people": settings.people.listen if settings.people is not None else None,
    }
    if wanted["people"] == wanted["public"]:
        del wanted["people"]  # one server serves both
    opened: dict[str, socket.socket] = {}
    for name, listen in wanted.items():
        if listen is None:
            continue
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        try:
            if not host and socket.has_dualstack_ipv6():
                made = socket.create_server(
                    ("", int(port)), family=socket.AF_INET6, backlog=1024, dualstack_ipv6=True
                )
            else:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                made = socket.create_server((host, int(port)), family=family, backlog=1024)
        except OSError as error:
            for one in opened.values():
                one.close()
            raise CommandError(f"cannot listen at {listen}: {error.strerror or error}") from error
        opened[name] = made
    return opened


def _write(file: Path, text: str) -> None:
    """Whole or not at all, readable for this user only."""
    part = file.with_suffix(".part")
    with open(part, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as open_file:
        open_file.write(text)
    part.replace(file)
