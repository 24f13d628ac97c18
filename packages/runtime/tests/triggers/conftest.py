"""A real triggerer host process and a real HTTP server on a unix socket; only the plane's database is made up."""

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

from tradewind_protocol import hosts, ids, triggers
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component

HERE = Path(__file__).parent
PATIENCE = 20.0


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
    news: threading.Condition = field(default_factory=threading.Condition)

    def want(self, trigger_id: int, name: str, *, ti: dict[str, Any] | None = None, **arguments: Any) -> None:
        with self.news:
            self.wanted[trigger_id] = triggers.CreateTrigger(
                id=trigger_id,
                classpath=f"site_triggers.{name}",
                arguments=json.dumps(arguments),
                ti=ti,
                log_path="" if ti is None else f"dag_id=d/run_id=r/task_id={ti['task_id']}/attempt=1.log",
            )
            self.news.notify_all()

    def give_up(self, *trigger_ids: int, moved: bool = False) -> None:
        with self.news:
            for trigger_id in trigger_ids:
                del self.wanted[trigger_id]
            if moved:
                self.elsewhere.update(trigger_ids)
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
                found.setdefault(report.trigger_id, []).append(report.event.payload)
        return found

    def failures(self) -> dict[int, str]:
        return {
            one.trigger_id: "".join(one.failure.traceback or ())
            for one in self.reports
            if one.failure is not None
        }

    def has(self) -> frozenset[int]:
        """What the host said last that it has."""
        return triggers.unpack_ids(self.syncs[-1].running) if self.syncs else frozenset()

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

    async def execution(self, request: Request) -> Response:
        kind, _, name = request.path_params["rest"].partition("/")
        if kind == "variables" and name in self.variables:
            return JSONResponse({"key": name, "value": self.variables[name]})
        return JSONResponse({"detail": {"reason": "not_found", "message": "not here"}}, 404)


@pytest.fixture
def plane() -> FakePlane:
    return FakePlane()


@pytest.fixture
def gateway(plane: FakePlane, tmp_path: Path) -> Iterator[str]:
    app = Starlette(
        routes=[
            Route("/triggers/sync", plane.sync, methods=["POST"]),
            Route(
                "/execution/{rest:path}", plane.execution, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
            ),
        ]
    )
    path = str(tmp_path / "gateway.sock")
    server = uvicorn.Server(
        uvicorn.Config(app, uds=path, log_level="warning", timeout_graceful_shutdown=1, lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield path
    server.should_exit = True
    thread.join(5)


@dataclass
class TriggererHost:
    """The host process as its agent sees it."""

    process: subprocess.Popen[bytes]
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


@pytest.fixture
def start_host(gateway: str, tmp_path: Path) -> Iterator[StartHost]:
    started: list[TriggererHost] = []

    def start(
        policy: Policy = Policy.STRICT, env: dict[str, str] | None = None, **options: Any
    ) -> TriggererHost:
        ours, theirs = socket.socketpair()
        output = tmp_path / f"host-{len(started)}.out"
        home = tmp_path / "airflow"
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PYTHONPATH": str(HERE),
            "TRADEWIND_CONTROL_FD": str(theirs.fileno()),
            **(env or {}),
        }
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "tradewind_runtime"],
                env=environ,
                pass_fds=[theirs.fileno()],
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        theirs.close()
        logs = tmp_path / "logs"
        configure = hosts.Configure(
            component=Component.TRIGGERER,
            agent_name="eu-1",
            gateway=gateway,
            secret=ids.new_secret(ids.LOCAL_SECRET_PREFIX),
            policy=policy,
            slots=10_000,
            log_directory=str(logs),
            options={"state_directory": str(tmp_path / "state"), **options},
        )
        ours.sendall(hosts.line(configure))
        host = TriggererHost(process, ours, logs, output)
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


@pytest.fixture
def deferred() -> Callable[[str], dict[str, Any]]:
    return task
