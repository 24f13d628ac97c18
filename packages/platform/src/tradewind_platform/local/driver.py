"""A Deployment as Airflow processes of this machine."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx

from tradewind.embedded.plane import Plane, PlaneSettings, free_port
from tradewind_platform.domain.health import Condition, ConditionType, Status
from tradewind_platform.domain.operations import Kind
from tradewind_platform.local.databases import Databases
from tradewind_platform.local.gateway import Gateway
from tradewind_platform.local.processes import Processes
from tradewind_platform.local.settings import LocalSettings, host_of
from tradewind_platform.reconciler.driver import Document, StepFailed
from tradewind_protocol.errors import Code, Refused

_CRASHES: Final = 5
_CRASH_WINDOW: Final = 300.0
"""A process that was started so often within so many seconds is not started again at once: it is broken."""
_RUNNING: Final = ("database", "configure", "migrate", "start", "route", "probe")


class LocalDriver:
    """One machine. `home` is the platform's directory for it; each Deployment has one of its own below, for its user only."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._processes = Processes(str(settings.home))
        self._gateway = Gateway(settings, self._processes)
        self._databases = Databases(settings.database_url) if settings.database_url is not None else None
        self._starts: dict[tuple[str, str], list[float]] = {}
        self._lock = threading.Lock()  # of the ports

    def steps(self, kind: Kind) -> Sequence[str]:
        if kind in (Kind.CREATE, Kind.UPDATE, Kind.RESTORE):
            return _RUNNING
        return ("unroute", "stop") if kind is Kind.DELETE else ("unroute", "stop", "erase")

    def apply(self, step: str, document: Document) -> None:
        {
            "database": self._database,
            "configure": self._configure,
            "migrate": self._migrate,
            "start": self._start,
            "route": self._route,
            "probe": self._probe,
            "unroute": lambda document: self._gateway.leave(document.slug),
            "stop": self._stop,
            "erase": self._erase,
        }[step](document)

    def keep(self, document: Document) -> None:
        self._gateway.keep()
        self._started(document, patient=True)

    def observe(self, document: Document) -> Sequence[Condition]:
        health = self._health(document)
        seen = _Seen(document.revision)
        if health is None:
            log = self._home(document) / "logs" / "api-server-1.log"
            what, remedy = "The API server does not answer.", f"Read {log}. It is started again by itself."
            if self._is_broken(document):
                what = f"The API server ends again and again. Its last lines: {_tail(log)}"
                remedy = f"Read {log}, correct the cause, and change or restore the Deployment."
            seen.false(ConditionType.API_SERVER_READY, "NoAnswer", what, remedy)
            for type in (
                ConditionType.DATABASE_READY,
                ConditionType.MIGRATED,
                ConditionType.SCHEDULER_BEATING,
            ):
                seen.unknown(type, "The API server does not answer.")
        else:
            seen.true(ConditionType.API_SERVER_READY)
            database = health.get("metadatabase", {}).get("status") == "healthy"
            for type in (ConditionType.DATABASE_READY, ConditionType.MIGRATED):
                if database:
                    seen.true(type)
                else:
                    seen.false(
                        type, "Unhealthy", "Airflow cannot use its database.", "Read the API server's log."
                    )
            if health.get("scheduler", {}).get("status") == "healthy":
                seen.true(ConditionType.SCHEDULER_BEATING)
            else:
                log = self._home(document) / "logs" / "scheduler-1.log"
                seen.false(
                    ConditionType.SCHEDULER_BEATING,
                    "NoHeartbeat",
                    "The scheduler sends no heartbeat.",
                    f"Read {log}.",
                )
        if self._route_answers(document):
            seen.true(ConditionType.ROUTE_SERVED)
        else:
            seen.false(
                ConditionType.ROUTE_SERVED,
                "NoAnswer",
                f"The gateway does not serve {document.agent_url}.",
                f"Read {self._settings.home / 'gateway' / 'gateway.log'}.",
            )
        return seen.conditions

    def address(self, slug: str) -> str:
        """Where its API server listens. Raises Refused UNAVAILABLE for one that was never configured."""
        record = self._settings.home / "ports" / f"{slug}.json"
        try:
            return f"http://127.0.0.1:{json.loads(record.read_text(encoding='utf-8'))['port']}"
        except FileNotFoundError:
            raise Refused(Code.UNAVAILABLE, f"the Deployment {slug} has no process yet") from None

    def stop_gateway(self) -> None:
        """End the gateway. Deployments end by their operations only."""
        self._gateway.stop()

    # ---- steps

    def _database(self, document: Document) -> None:
        if self._databases is not None:
            self._databases.ensure(document.slug, document.secrets["database_password"])

    def _configure(self, document: Document) -> None:
        home, user = self._home(document), self._user(document)
        _refuse_account(user)
        home.parent.mkdir(mode=0o711, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        home.chmod(0o700)
        if user is not None:
            os.chown(home, user, user)
        self._check_user(home, user)
        self._port(document)
        self._plane(document).configure()

    def _migrate(self, document: Document) -> None:
        try:
            self._plane(document).migrate()
        except (RuntimeError, TimeoutError) as error:
            raise StepFailed(f"airflow db migrate: {str(error)[-1000:]}") from None

    def _start(self, document: Document) -> None:
        self._starts = {key: value for key, value in self._starts.items() if key[0] != document.slug}
        self._started(document, patient=False)

    def _route(self, document: Document) -> None:
        self._gateway.serve(document.slug, self._port(document))

    def _probe(self, document: Document) -> None:
        """Through the gateway, as agents and people come."""
        until = time.monotonic() + self._settings.probe_seconds
        while True:
            wrong = [one for one in self.observe(document) if one.status is not Status.TRUE]
            if not wrong:
                return
            if time.monotonic() > until:
                raise StepFailed(" ".join(dict.fromkeys(one.message for one in wrong)))
            self._started(document, patient=True)
            time.sleep(0.5)

    def _stop(self, document: Document) -> None:
        self._processes.stop(document.slug, user=self._user(document))

    def _erase(self, document: Document) -> None:
        if self._databases is not None:
            self._databases.erase(document.slug)
        home = self._home(document)
        if home.exists():
            shutil.rmtree(home)
        self._record(document).unlink(missing_ok=True)

    # ---- parts

    def _started(self, document: Document, *, patient: bool) -> None:
        """Every process runs. `patient`: one that ends again and again waits."""
        user = self._user(document)
        for process in self._plane(document).prepare():
            key, now = (document.slug, process.name), time.monotonic()
            recent = [at for at in self._starts.get(key, []) if now - at < _CRASH_WINDOW]
            running = self._processes.find(document.slug, process.name, user=user) is not None
            if running and patient:
                continue
            if not running:
                if patient and len(recent) >= _CRASHES:
                    continue
                self._starts[key] = [*recent, now]
            self._processes.start(document.slug, process, revision=document.revision)

    def _is_broken(self, document: Document) -> bool:
        return any(len(starts) >= _CRASHES for key, starts in self._starts.items() if key[0] == document.slug)

    def _plane(self, document: Document) -> Plane:
        port = self._port(document)
        database = None
        if self._databases is not None:
            url = self._databases.url(document.slug, document.secrets["database_password"])
            database = url.render_as_string(hide_password=False)
        return Plane(
            PlaneSettings(
                home=self._home(document),
                interpreter=self._settings.plane_python,
                port=port,
                database=database,
                options=self._options(document),
                user=self._user(document),
            )
        )

    def _options(self, document: Document) -> dict[str, dict[str, str]]:
        agents = self._settings.agents_host
        return {
            "core": {"fernet_key": document.secrets["fernet"]},
            "api": {
                "secret_key": document.secrets["api"],
                "base_url": document.people_url,
                "instance_name": document.name,
            },
            "api_auth": {
                "jwt_secret": document.secrets["jwt"],
                "jwt_audience": f"urn:tradewind:{document.id}",
            },
            "tradewind": {
                "deployment": document.name,
                "agent_url": document.agent_url,
                # An address is no name that only agents use: the gateway alone keeps the ways apart then.
                "agent_hosts": "" if agents.replace(".", "").isdecimal() else agents,
                "trusted_proxies": "127.0.0.1",
                "endpoint_gateways": "127.0.0.1",
                "policy": document.spec["policy"],
            },
        }

    def _check_user(self, home: Path, user: int | None) -> None:
        """The Deployment's user can enter its home and run its Python. Raises StepFailed."""
        interpreter = self._settings.plane_python
        try:
            subprocess.run(
                [interpreter, "-c", "import tradewind_provider"],
                cwd=home,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                capture_output=True,
                check=True,
            )
        except PermissionError:
            raise StepFailed(
                f"the user id {user} cannot enter {home} or run {interpreter}: a directory above them is closed to it; "
                "choose a home below /var/lib and an environment below /opt",
                final=True,
            ) from None
        except subprocess.CalledProcessError as error:
            last = (error.stderr.decode(errors="replace").strip().splitlines() or ["no output"])[-1]
            raise StepFailed(
                f"{interpreter} does not import tradewind_provider: {last}", final=True
            ) from None

    def _home(self, document: Document) -> Path:
        return self._settings.home / "deployments" / document.slug

    def _user(self, document: Document) -> int | None:
        return None if self._settings.first_user is None else self._settings.first_user + document.number

    def _record(self, document: Document) -> Path:
        return self._settings.home / "ports" / f"{document.slug}.json"

    def _port(self, document: Document) -> int:
        """The port of its API server: chosen once."""
        with self._lock:
            record = self._record(document)
            if record.exists():
                return int(json.loads(record.read_text(encoding="utf-8"))["port"])
            taken = {
                json.loads(one.read_text(encoding="utf-8"))["port"] for one in record.parent.glob("*.json")
            }
            port = free_port()
            while port in taken:
                port = free_port()
            record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part = record.with_suffix(".part")
            part.write_text(json.dumps({"port": port}), encoding="utf-8")
            part.replace(record)
            return port

    def _health(self, document: Document) -> dict[str, Any] | None:
        """What Airflow says of itself, asked past the gateway; None when it does not answer."""
        url = f"http://127.0.0.1:{self._port(document)}/api/v2/monitor/health"
        try:
            answer = httpx.get(url, headers={"Host": host_of(document.people_url)}, timeout=10)
            found = answer.json() if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def _route_answers(self, document: Document) -> bool:
        """Whether agents reach the plane by the gateway: `readyz` needs no credential."""
        scheme = "https" if self._settings.certificate is not None else "http"
        host, _, port = self._settings.agents_listen.rpartition(":")
        url = f"{scheme}://{host or '127.0.0.1'}:{port}/{document.slug}/remote-execution/v1/readyz"
        try:
            # The certificate is checked by agents; here the question is whether there is a route.
            answer = httpx.get(url, headers={"Host": self._settings.agents_host}, timeout=10, verify=False)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200


class _Seen:
    def __init__(self, revision: int) -> None:
        self.conditions: list[Condition] = []
        self._revision = revision

    def true(self, type: ConditionType) -> None:
        self.conditions.append(Condition(type, Status.TRUE, observed_revision=self._revision))

    def false(self, type: ConditionType, reason: str, message: str, remedy: str) -> None:
        self.conditions.append(
            Condition(type, Status.FALSE, reason, message, remedy, observed_revision=self._revision)
        )

    def unknown(self, type: ConditionType, message: str) -> None:
        self.conditions.append(Condition(type, Status.UNKNOWN, "", message, observed_revision=self._revision))


def _refuse_account(user: int | None) -> None:
    if user is None:
        return
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        return
    raise StepFailed(
        f"the user id {user} is that of the account {name}; start the platform with another --first-user",
        final=True,
    )


def _tail(log: Path) -> str:
    try:
        return " | ".join(log.read_text(errors="replace").splitlines()[-3:])[-500:]
    except OSError:
        return "none"
