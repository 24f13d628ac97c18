"""Runs a gateway, and changes what a running one serves."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

from tradewind.errors import BadUsage, CommandError
from tradewind.gateway import caddy, certificates, ports
from tradewind.gateway import state as files
from tradewind.gateway.front import Front
from tradewind.gateway.program import Admin
from tradewind.gateway.settings import GatewaySettings, Private, read
from tradewind.gateway.state import StartedWith

_WATCH_EVERY: Final = 1.0
_STARTS: Final = 20.0
_STOPS: Final = 35.0
"""Seconds: longer than a poll is held."""


def apply(settings: GatewaySettings, state: Path) -> None:
    """Let the gateway that runs with `state` serve this, with certificates as their files are now. Raises CommandError when it
    cannot, and it goes on as before."""
    started = StartedWith.read(state)
    if started is not None and started.listens != files.listens(settings):
        raise BadUsage(
            "[public] listen, [people] listen, [private] or health differs from that of the gateway that runs",
            remedy="Restart `tradewind gateway run`: it opens the ports when it starts.",
        )
    document = caddy.document(settings, state, started.descriptors if started is not None else None)
    # Before loading: a file that is replaced meanwhile is read once more.
    marks = certificates.marks(certificates.files(settings))
    Admin(caddy.admin_socket(state)).load(document, read_again=marks != files.read_marks(state))
    files.keep(state, document, marks)


def has_renewed_certificates(settings: GatewaySettings, state: Path) -> bool:
    """Whether files of certificates are others than the gateway that runs with `state` has read. Not while one of them is missing."""
    marks = certificates.marks(certificates.files(settings))
    return marks is not None and marks != files.read_marks(state)


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
    stopped = _stop_signal()
    process = await _start_caddy(settings, state, program)
    ended = asyncio.ensure_future(process.wait())
    front: tuple[Front, asyncio.Server] | None = None
    try:
        await _answers(state, ended)
        if settings.private is not None:
            front = await _front(settings.private, state)
        say(_summary(settings, state))
        watching = None if watched is None else _watch(watched, settings, state, say)
        await _first_to_end(stopped, ended, watching)
        if ended.done():
            raise CommandError(f"Caddy ended with exit code {ended.result()}", remedy="Its reason is above.")
    finally:
        if front is not None:
            front[1].close()
        await _stop(process, ended)
        if front is not None:
            await front[0].close()  # after Caddy, which has answered what came through it
        StartedWith.remove(state)


def _stop_signal() -> asyncio.Event:
    """Set by SIGTERM and SIGINT from now on."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


async def _start_caddy(settings: GatewaySettings, state: Path, program: Path) -> asyncio.subprocess.Process:
    """Open the ports, write down what is served, and start Caddy with both. Raises CommandError."""
    sockets = ports.opened(settings)
    descriptors = {name: one.fileno() for name, one in sockets.items()}
    files.keep(
        state,
        caddy.document(settings, state, descriptors),
        certificates.marks(certificates.files(settings)),
    )
    StartedWith(files.listens(settings), descriptors).write(state)
    process = await asyncio.create_subprocess_exec(
        program,
        "run",
        "--config",
        files.served(state),
        env={**os.environ, "HOME": str(state), "XDG_DATA_HOME": str(state), "XDG_CONFIG_HOME": str(state)},
        pass_fds=tuple(descriptors.values()),
        start_new_session=True,  # Ctrl-C of a terminal is for this process, which stops Caddy in its time
    )
    for one in sockets.values():
        one.close()
    return process


async def _first_to_end(
    stopped: asyncio.Event, ended: asyncio.Future[int], watching: Coroutine[Any, Any, None] | None
) -> None:
    """Run `watching` until the gateway is stopped or Caddy has ended."""
    waiting = asyncio.ensure_future(stopped.wait())
    watch = None if watching is None else asyncio.ensure_future(watching)
    first: set[asyncio.Future[Any]] = {waiting, ended}
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if watch is not None:
        watch.cancel()


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


async def _answers(state: Path, ended: asyncio.Future[int]) -> None:
    """Return when Caddy serves. Raises CommandError when it ends or takes too long."""
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
