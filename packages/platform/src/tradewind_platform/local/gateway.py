"""The gateway of the cluster: `tradewind gateway run` as a process that outlives the platform."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from tradewind.embedded.processes import LocalProcess
from tradewind.errors import CommandError
from tradewind.gateway import caddy, certificates, process
from tradewind.gateway import settings as gateway_settings
from tradewind.gateway.program import Admin
from tradewind_platform.local.processes import Processes
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.reconciler.driver import StepFailed

log = logging.getLogger(__name__)

OWNER: Final = "gateway"
_STARTS: Final = 30.0
_RENEW_AGAIN: Final = 60.0


@dataclass(frozen=True)
class Route:
    """Where the API server of a Deployment listens. `closed`: why the gateway does not pass requests on to it."""

    port: int
    closed: str = ""

    @classmethod
    def read(cls, kept: Any) -> Route:
        """As it is kept. The first release kept the port alone."""
        return cls(kept) if isinstance(kept, int) else cls(**kept)


class Gateway:
    """Serves the routes of a file. Each change is on disk before it is served."""

    def __init__(self, settings: LocalSettings, processes: Processes) -> None:
        self._settings = settings
        self._processes = processes
        self._home = settings.home / "gateway"
        self._state = self._home / "state"
        self._routes = self._home / "routes.json"
        self._config = self._home / "gateway.toml"
        self._lock = threading.Lock()
        self._looked: certificates.Marks | None = None  # files of the certificate that it is known to serve
        self._not_before = 0.0  # a certificate that was refused is tried again

    def serve(self, slug: str, port: int) -> None:
        """Serve a Deployment at its path and its name. Raises StepFailed."""
        with self._lock:
            self._change({**self.routes(), slug: Route(port)})

    def close(self, slug: str, reason: str) -> None:
        """Answer agents and people that it does not serve at the moment, and why. Raises StepFailed."""
        with self._lock:
            routes = self.routes()
            if slug in routes:
                self._change({**routes, slug: replace(routes[slug], closed=reason)})

    def leave(self, slug: str) -> None:
        """Serve it no longer. Raises StepFailed."""
        with self._lock:
            self._change({key: value for key, value in self.routes().items() if key != slug})

    def keep(self) -> None:
        """Start it again when it does not run, and let it read a certificate that was renewed. Raises StepFailed when it does not
        start. A renewal that is not whole, such as a certificate without its key, is logged: it holds up nothing else."""
        with self._lock:
            if not self._answers():
                self._change(self.routes())
            elif self._certificate_was_renewed():
                self._read_certificate()

    def routes(self) -> dict[str, Route]:
        try:
            found = json.loads(self._routes.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {slug: Route.read(one) for slug, one in found.items()}

    def _change(self, routes: Mapping[str, Route]) -> None:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = {slug: asdict(route) for slug, route in sorted(routes.items())}
        _write(self._routes, json.dumps(kept, indent=1))
        _write(self._config, _toml(self._document(routes)))
        try:
            found = gateway_settings.read(self._config)
            if self._answers():
                process.apply(found, self._state)
                return
        except CommandError as error:
            raise StepFailed(f"the gateway: {error.message} {error.remedy}".strip()) from error
        self._start()

    def process(self) -> LocalProcess:
        """Its process, not started yet."""
        command: list[str | Path] = [
            self._settings.command_python,
            *("-m", "tradewind", "gateway", "run", "--config", self._config, "--state-dir", self._state),
        ]
        if self._settings.caddy is not None:
            command += ["--caddy", self._settings.caddy]
        return LocalProcess(
            "gateway", command, env=dict(os.environ), log=self._home / "gateway.log", cwd=self._home
        )

    def _start(self) -> None:
        made = self.process()
        self._processes.stop(OWNER, user=None, grace=5)  # one that runs and does not answer
        self._processes.start(OWNER, made)
        until = time.monotonic() + _STARTS
        while not self._answers():
            if self._processes.find(OWNER, "gateway", user=None) is None:
                raise StepFailed(f"the gateway does not start: {made.tail(3)}")
            if time.monotonic() > until:
                raise StepFailed(f"the gateway has not started in {_STARTS:g} s: {made.tail(3)}")
            time.sleep(0.1)

    def _answers(self) -> bool:
        return Admin(caddy.admin_socket(self._state)).answers()

    def _certificate_was_renewed(self) -> bool:
        """Two files are looked at for each Deployment, and no more while they are as they were."""
        ours = self._settings
        files = [one for one in (ours.certificate, ours.key) if one is not None]
        marks = certificates.marks(files)
        if not files or marks in (None, self._looked) or time.monotonic() < self._not_before:
            return False
        try:
            renewed = process.has_renewed_certificates(gateway_settings.read(self._config), self._state)
        except CommandError:  # no configuration yet
            return False
        if not renewed:
            self._looked = marks
        return renewed

    def _read_certificate(self) -> None:
        try:
            self._change(self.routes())
        except StepFailed as error:
            self._not_before = time.monotonic() + _RENEW_AGAIN
            log.warning(
                "the gateway cannot read its new certificate and keeps the old one: %s",
                error,
                extra={"action": "certificate_not_read"},
            )

    def _document(self, routes: Mapping[str, Route]) -> dict[str, Any]:
        ours = self._settings
        document: dict[str, Any] = {"host": ours.agents_host}
        if ours.certificate is not None and ours.key is not None:
            document["tls"] = {"certificate": str(ours.certificate), "key": str(ours.key)}
        document["public"] = {"listen": ours.agents_listen}
        document["people"] = {"domain": ours.people_domain, "listen": ours.people_listen}
        document["deployments"] = {
            slug: [f"http://127.0.0.1:{route.port}"] for slug, route in sorted(routes.items())
        }
        document["closed"] = {slug: route.closed for slug, route in sorted(routes.items()) if route.closed}
        return document


def _toml(document: Mapping[str, Any]) -> str:
    """Strings, lists of strings, and one level of tables: a JSON string is a TOML one."""
    plain = {key: value for key, value in document.items() if not isinstance(value, dict)}
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in plain.items())
    for name, table in document.items():
        if isinstance(table, dict):
            text += f"\n[{name}]\n" + "".join(
                f"{key} = {json.dumps(value)}\n" for key, value in table.items()
            )
    return text


def _write(file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    with open(part, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as opened:
        opened.write(text)
    part.replace(file)
