"""A real triggerer process process and a real HTTP server on a unix socket; only the plane's database is made up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from support import directories, forked, prepared_hosts
from tradewind_protocol import hosts, ids, triggers
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component

HERE = Path(__file__).parent
PATIENCE = 50.0  # seconds that something may take on a busy machine; a test says nothing of how long it takes


@dataclass
class FakePlane:
    """The triggers verb with the rules of the real one: wanted triggers, reports applied once, lost answers."""

    wanted: dict[int, triggers.CreateTrigger] = field(default_factory=dict)
    elsewhere: set[int] = field(default_factory=set)
    reports: list[triggers.Report] = field(default_factory=list)
    applied: dict[UUID, int] = field(default_factory=dict)
    syncs: list[triggers.Sync] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)
    away: bool = False
    lose_answers: int = 0  # to reports: applied, then answered with an error
    most_created: int = 500
    spans: list[bytes] = field(default_factory=list)  # requests of OTLP that were left with the agent
    base: int = 0  # added to a test's numbers, so that tests can share a host
    news: threading.Condition = field(default_factory=threading.Condition)

    def want(
        self,
        trigger_id: int,
        name: str,
        *,
        ti: dict[str, Any] | None = None,
        log_path: str | None = None,
        **arguments: Any,
    ) -> None:
        """The plane has this trigger from now on."""
        if log_path is None:
            log_path = "" if ti is None else f"dag_id=d/run_id=r/task_id={ti['task_id']}/attempt=1.log"
        with self.news:
            self.wanted[self.base + trigger_id] = triggers.CreateTrigger(
                id=self.base + trigger_id,
                classpath=name if "." in name else f"site_triggers.{name}",
                arguments=json.dumps(arguments),
                ti=ti,
                log_path=log_path,
            )
            self.news.notify_all()

    def give_up(self, *trigger_ids: int, moved: bool = False) -> None:
        with self.news:
            for trigger_id in trigger_ids:
                del self.wanted[self.base + trigger_id]
                if moved:
                    self.elsewhere.add(self.base + trigger_id)
            self.news.notify_all()

    def wait_for(self, meets: Callable[[], Any], patience: float = PATIENCE) -> Any:
        deadline = time.monotonic() + patience
        with self.news:
            while not (found := meets()):
                left = deadline - time.monotonic()
                assert left > 0, f"did not happen in time; reports: {self.reports}, away: {self.away}"
                self.news.wait(min(left, 0.5))
            return found

    def events(self) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = {}
        for report in self.reports:
            if report.event is not None:
                found.setdefault(report.trigger_id - self.base, []).append(report.event.payload)
        return found

    def failures(self) -> dict[int, str]:
        return {
            one.trigger_id - self.base: "".join(one.failure.traceback or ())
            for one in self.reports
            if one.failure is not None
        }

    def has(self) -> frozenset[int]:
        """What the host said last that it has."""
        ids = triggers.unpack_ids(self.syncs[-1].running) if self.syncs else frozenset()
        return frozenset(one - self.base for one in ids if one > self.base)

    def begin(self) -> None:
        """Forget the test before: its triggers, its reports and its numbers."""
        with self.news:
            self.wanted.clear()
            self.reports.clear()
            self.syncs.clear()
            self.base += 100_000
            self.news.notify_all()

    async def sync(self, request: Request) -> Response:
        body = triggers.Sync.model_validate_json(await request.body())
        with self.news:
            self.syncs.append(body)
            self.news.notify_all()
        if self.away:
            return JSONResponse({"error": "unavailable", "message": "the plane is away"}, 503)
        applied = self._apply(body)
        if body.reports and self.lose_answers:
            self.lose_answers -= 1
            return Response(status_code=502)
        answer = self._look(body)
        deadline = time.monotonic() + (2.0 if body.hold is None else body.hold)
        while body.news and not self.away and not answer and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
            answer = self._look(body)
        found = (answer or triggers.SyncAnswer()).model_copy(update={"applied_through": applied})
        return Response(found.model_dump_json(), media_type="application/json")

    def _apply(self, body: triggers.Sync) -> int:
        with self.news:
            through = self.applied.get(body.source, 0)
            for report in body.reports:
                if report.seq > through:
                    through = report.seq
                    self.reports.append(report)
                    # as on the plane: what a task waited for is not wanted any more
                    if report.trigger_id in self.wanted and self.wanted[report.trigger_id].ti is not None:
                        del self.wanted[report.trigger_id]
            self.applied[body.source] = through
            self.news.notify_all()
            return through

    def _look(self, body: triggers.Sync) -> triggers.SyncAnswer | None:
        running = triggers.unpack_ids(body.running)
        with self.news:
            create = [one for key, one in sorted(self.wanted.items()) if key not in running]
            stop = running - self.wanted.keys()
        if not body.news or not (create or stop):
            return None
        return triggers.SyncAnswer(
            create=tuple(create[: self.most_created]),
            cancel=tuple(sorted(stop - self.elsewhere)),
            moved=tuple(sorted(stop & self.elsewhere)),
            more=len(create) > self.most_created,
        )

    async def take_spans(self, request: Request) -> Response:
        assert request.headers["authorization"].startswith(f"Bearer {ids.LOCAL_SECRET_PREFIX}")
        body = await request.body()
        with self.news:
            self.spans.append(body)
            self.news.notify_all()
        return Response()

    async def execution(self, request: Request) -> Response:
        kind, _, name = request.path_params["rest"].partition("/")
        if kind == "variables" and name in self.variables:
            return JSONResponse({"key": name, "value": self.variables[name]})
        return JSONResponse({"detail": {"reason": "not_found", "message": "not here"}}, 404)


@dataclass
class TriggererHost:
    """The host process as its agent sees it."""

    process: forked.Process | subprocess.Popen[bytes]
    control: socket.socket
    logs: Path
    output: Path
    said: list[Any] = field(default_factory=list)
    _rest: bytes = b""

    def hear(self, kind: type[Any], patience: float = PATIENCE) -> Any:
        """The next message of that kind."""
        self.control.settimeout(patience)
        while True:
            while b"\n" not in self._rest:
                chunk = self.control.recv(65536)
                assert chunk, f"the host is gone: {self.output.read_text()}"
                self._rest += chunk
            line, self._rest = self._rest.split(b"\n", 1)
            message = hosts.FROM_HOST.validate_json(line)
            self.said.append(message)
            if isinstance(message, kind):
                return message

    def stop(self) -> int:
        self.control.sendall(hosts.line(hosts.StopHost()))
        return self.process.wait(PATIENCE)

    def children(self) -> list[int]:
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(one) for one in text.split()]

    def log_of(self, task_id: str) -> str:
        folder = self.logs / "dag_id=d" / "run_id=r" / f"task_id={task_id}"
        return "".join(one.read_text() for one in sorted(folder.glob("attempt=1.log.trigger.*")))


StartHost = Callable[..., TriggererHost]


@contextmanager
def serving(plane: FakePlane, directory: Path) -> Iterator[str]:
    """The gateway, in a thread; the path of its socket."""
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app = Starlette(
        routes=[
            Route("/triggers/sync", plane.sync, methods=["POST"]),
            Route(hosts.TRACES_PATH, plane.take_spans, methods=["POST"]),
            Route("/execution/{rest:path}", plane.execution, methods=methods),
        ]
    )
    path = str(directory / "gateway.sock")
    config = uvicorn.Config(app, uds=path, log_level="critical", timeout_graceful_shutdown=1, lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield path
    server.should_exit = True
    thread.join(5)


def _started(
    environ: dict[str, str],
    configure: hosts.Configure,
    control: int,
    output: int,
    through: tuple[str, ...],
) -> forked.Process | subprocess.Popen[bytes]:
    if not through:
        return prepared_hosts.start(environ, configure, control=control, output=output)
    return subprocess.Popen(
        [*through, sys.executable, "-m", "tradewind_runtime"],
        env={**environ, hosts.CONTROL_FD: str(control)},
        pass_fds=[control],
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


@contextmanager
def hosts_at(gateway: str, directory: Path) -> Iterator[StartHost]:
    """Starts host processes; none is left at the end."""
    started: list[TriggererHost] = []

    def start(
        policy: Policy = Policy.STRICT,
        env: dict[str, str] | None = None,
        through: tuple[str, ...] = (),
        **options: Any,
    ) -> TriggererHost:
        ours, theirs = socket.socketpair()
        output = directory / f"host-{len(started)}.out"
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "AIRFLOW_HOME": str(directory / "airflow"),
            "PYTHONPATH": str(HERE),
            **(env or {}),
        }
        configure = hosts.Configure(
            component=Component.TRIGGERER,
            agent_name="eu-1",
            gateway=gateway,
            secret=ids.new_secret(ids.LOCAL_SECRET_PREFIX),
            policy=policy,
            slots=20_000,
            log_directory=str(directory / "logs"),
            options={"state_directory": str(directory / "state"), **options},
        )
        with output.open("wb") as file:
            process = _started(environ, configure, theirs.fileno(), file.fileno(), through)
        theirs.close()
        ours.sendall(hosts.line(configure))
        host = TriggererHost(process, ours, directory / "logs", output)
        started.append(host)
        host.hear(hosts.Hello)
        return host

    yield start
    for host in started:
        host.control.close()
        try:
            host.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(host.process.pid, signal.SIGKILL)
            host.process.wait()


@pytest.fixture
def plane() -> FakePlane:
    return FakePlane()


@pytest.fixture
def start_host(plane: FakePlane) -> Iterator[StartHost]:
    """For tests that end their host, or need one of their own."""
    with directories.same() as place, serving(plane, place) as gateway, hosts_at(gateway, place) as start:
        yield start


@dataclass
class Site:
    """A plane and a host of it."""

    plane: FakePlane
    host: TriggererHost

    def task(self, name: str) -> dict[str, Any]:
        return task(f"{name}-{self.plane.base}")

    def log_of(self, name: str) -> str:
        return self.host.log_of(f"{name}-{self.plane.base}")


@pytest.fixture(scope="module")
def shared_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    plane, directory = FakePlane(), tmp_path_factory.mktemp("site")
    with serving(plane, directory) as gateway, hosts_at(gateway, directory) as start:
        yield Site(plane, start())


@pytest.fixture
def site(shared_site: Site) -> Site:
    """A host that has nothing of an earlier test; starting one takes seconds."""
    shared_site.plane.begin()
    return shared_site


def task(task_id: str) -> dict[str, Any]:
    """A task instance that waits for a trigger, as the plane describes it."""
    return {
        "id": str(uuid4()),
        "dag_version_id": str(uuid4()),
        "task_id": task_id,
        "dag_id": "d",
        "run_id": "r",
        "try_number": 1,
        "map_index": -1,
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
    }
