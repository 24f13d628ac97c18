"""A real worker process, a real gateway socket, real Dags; only the plane behind the gateway is made up."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from support import forked, prepared_hosts
from tradewind_protocol import hosts, ids
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.states import Component

RUN_ID = "manual__2025-01-01T00:00:00+00:00"
PATIENCE = 60.0


@dataclass(frozen=True)
class Asked:
    """One request that reached the gateway."""

    method: str
    path: str
    secret: str
    body: Any
    query: dict[str, str]


@dataclass
class FakeGateway:
    """The Execution API as a task needs it, on a unix socket, with the rules a task can notice."""

    path: str
    asked: list[Asked] = field(default_factory=list)
    xcoms: dict[str, Any] = field(default_factory=dict)
    retries: bool = False
    refuse: dict[str, int] = field(default_factory=dict)  # end of a path: the status that answers it
    news: threading.Condition = field(default_factory=threading.Condition)
    connection: dict[str, Any] | None = None
    resumes: dict[str, Any] = field(default_factory=dict)  # `next_method`, `next_kwargs` of a start's answer

    def of(self, attempt: RunningAttempt) -> list[Asked]:
        with self.news:
            return [a for a in self.asked if a.secret == attempt.secret]

    def states_of(self, attempt: RunningAttempt) -> list[str]:
        return [a.body["state"] for a in self.of(attempt) if a.path.endswith("/state")]

    def wait_for(self, meets: Callable[[list[Asked]], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        with self.news:
            while not (found := meets(self.asked)):
                assert self.news.wait(deadline - time.monotonic()), f"not asked in time: {self.asked}"
            return found

    async def answer(self, request: Request) -> Response:
        raw = await request.body()
        path = request.path_params["rest"]
        asked = Asked(
            request.method,
            path,
            request.headers.get("authorization", "").removeprefix("Bearer "),
            json.loads(raw) if raw else None,
            dict(request.query_params),
        )
        response = self._response(asked)
        with self.news:
            self.asked.append(asked)
            self.news.notify_all()
        return response

    def _response(self, asked: Asked) -> Response:
        for end, status in self.refuse.items():
            if asked.path.endswith(end):
                no = {"reason": "refused", "message": "the test says no", "current_state": "failed"}
                return JSONResponse({"detail": no}, status)
        parts = asked.path.split("/")
        if asked.path.endswith("/run"):
            return JSONResponse(self._context())
        if parts[0] == "connection-tests" and asked.method == "GET" and self.connection:
            return JSONResponse(self.connection)
        if parts[0] == "xcoms":
            return self._xcom(asked, "/".join(parts[1:5]), parts[5:])
        if asked.path.endswith("validate-inlets-and-outlets"):
            return JSONResponse({"inactive_assets": []})
        if parts[0] in ("variables", "connections"):
            return JSONResponse({"detail": {"reason": "not_found", "message": "not here"}}, 404)
        return JSONResponse({"message": "ok"})

    def _xcom(self, asked: Asked, name: str, more: list[str]) -> Response:
        if asked.method == "POST":
            self.xcoms[name] = asked.body
            return JSONResponse({"message": "ok"}, 201)
        if name not in self.xcoms:
            return JSONResponse({"detail": {"reason": "not_found", "message": "not here"}}, 404)
        if more[:1] == ["slice"]:
            return JSONResponse([self.xcoms[name]])
        return JSONResponse({"key": name.rsplit("/", 1)[1], "value": self.xcoms[name]})

    def _context(self) -> dict[str, Any]:
        moment = "2025-01-01T00:00:00Z"
        return {
            "dag_run": {
                "dag_id": "worker_host",
                "run_id": RUN_ID,
                "logical_date": moment,
                "data_interval_start": moment,
                "data_interval_end": moment,
                "start_date": moment,
                "end_date": None,
                "run_after": moment,
                "run_type": "manual",
                "state": "running",
                "consumed_asset_events": [],
                "partition_key": None,
            },
            "max_tries": 1 if self.retries else 0,
            "should_retry": self.retries,
            "xcom_keys_to_clear": [],
            **self.resumes,
        }


@dataclass
class RunningAttempt:
    """One attempt as the agent sees it."""

    attempt_id: UUID
    secret: str
    log_file: Path
    host: WorkerHost
    ti_id: UUID

    @property
    def manager(self) -> int:
        return int(self.host.receives(hosts.AttemptStarted, self).pid)

    @cached_property
    def supervisor(self) -> int:
        """The first that its process manager has forked; ask while it lives."""
        children = Path(f"/proc/{self.manager}/task/{self.manager}/children")
        deadline = time.monotonic() + PATIENCE
        while not (pids := children.read_text().split()):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return int(pids[0])

    def outcome(self) -> Any:
        return self.host.receives(hosts.AttemptEnded, self).outcome

    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""

    def says(self, text: str) -> int:
        """Wait until its log holds the line `text <pid>`, and return the pid."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in self.log().splitlines():
                event = str(json.loads(line).get("event", "")) if line.startswith("{") else line
                if event.startswith(text):
                    return int(event.removeprefix(text).strip() or 0)
            time.sleep(0.02)
        raise AssertionError(f"{text!r} is not in the log: {self.log()}")


def site_variables(home: Path, dags: Path) -> dict[str, str]:
    """The environment variables of a site whose one bundle is the folder `dags`."""
    bundles = [
        {
            "name": "dags",
            "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
            "kwargs": {"path": str(dags)},
        }
    ]
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "1",
        "AIRFLOW__WORKERS__SOCKET_CLEANUP_TIMEOUT": "2",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_VAR_SITE_ONLY": "from the site",
        "AIRFLOW_CONN_SITE_ONLY": "generic://user:pass@site-host/",
    }


def task_workload(task_id: str, *, dag_id: str, **workload: Any) -> dict[str, Any]:
    """One try of a task, as a scheduler puts it."""
    ti_id = uuid4()
    return {
        "type": "ExecuteTask",
        "ti": {
            "id": str(ti_id),
            "dag_version_id": str(uuid4()),
            "task_id": task_id,
            "dag_id": dag_id,
            "run_id": RUN_ID,
            "try_number": 1,
            "map_index": -1,
            "pool_slots": 1,
            "queue": "default",
            "priority_weight": 1,
            "context_carrier": {},
        },
        "dag_rel_path": f"{dag_id}.py",
        "bundle_info": {"name": "dags", "version": None},
        "log_path": f"{task_id}/{ti_id}.log",
        **workload,
    }


PYTHON: Final = (sys.executable, "-W", "ignore")
"""The command of a worker process with an interpreter of its own, for what depends on how an interpreter starts: its
environment and command line in /proc, and where it searches for modules."""


class WorkerHost:
    """The agent's end of a real worker process."""

    def __init__(
        self,
        gateway: FakeGateway,
        home: Path,
        *,
        dags: Path,
        command: Sequence[str] | None = None,
        prepared: bool = True,
        **options: Any,
    ) -> None:
        """Without a `command`, the process is forked: from one that has been prepared with the same configuration, or with
        Airflow's libraries alone where it has a configuration in files."""
        self.gateway, self.home = gateway, home
        self.received: list[Any] = []
        self.output = home / "output.txt"
        ours, theirs = socket.socketpair()
        self.control = ours
        self._send: Callable[[bytes], None] = ours.sendall
        self.process: forked.Process | subprocess.Popen[bytes]
        environ = {
            **site_variables(home, dags),
            **(
                {"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1"}
                if options.get("accelerators") == "none"
                else {}
            ),
            **options.pop("environ", {}),
        }  # without accelerators a supervisor sleeps for that long when its task has ended
        configure = hosts.Configure(
            component=Component.WORKER,
            agent_name="site-1",
            gateway=gateway.path,
            secret=ids.new_secret(ids.LOCAL_SECRET_PREFIX),
            slots=4,
            log_directory=str(home / "logs"),
            options={"state_directory": str(home / "state"), **options},
        )
        fd = theirs.fileno()
        with self.output.open("wb") as output:
            if command is None and prepared:
                self.process = prepared_hosts.start(environ, configure, control=fd, output=output.fileno())
            else:
                self.process = _started(command, {**environ, hosts.CONTROL_FD: str(fd)}, fd, output.fileno())
        theirs.close()
        self._lines = ours.makefile("rb")
        self.say(configure)

    def say(self, message: Any) -> None:
        self._send(hosts.line(message))

    @contextmanager
    def saying_nothing_yet(self) -> Iterator[list[bytes]]:
        """Lines said within are not sent but collected, for the test to send as it likes."""
        lines: list[bytes] = []
        self._send = lines.append
        yield lines
        self._send = self.control.sendall

    def receives(self, kind: type, of: RunningAttempt | None = None) -> Any:
        """The first message of that kind (about that attempt), waiting for it if need be."""

        def fits(message: Any) -> bool:
            return isinstance(message, kind) and (of is None or message.attempt_id == of.attempt_id)

        for message in self.received:
            if fits(message):
                return message
        self.control.settimeout(PATIENCE)
        while True:
            try:
                line = self._lines.readline()
            except TimeoutError:
                raise AssertionError(
                    f"no {kind.__name__}, only {self.received}: {self.output.read_text()}"
                ) from None
            assert line, f"the host ended: {self.output.read_text()}"
            self.received.append(hosts.FROM_HOST.validate_json(line))
            assert kind is hosts.Problem or not isinstance(self.received[-1], hosts.Problem), self.received[
                -1
            ]
            if fits(self.received[-1]):
                return self.received[-1]

    def run(
        self,
        task_id: str,
        *,
        dag_id: str = "worker_host",
        rules: tuple[hosts.TaskRule, ...] = (),
        **workload: Any,
    ) -> RunningAttempt:
        return self.start_task(task_workload(task_id, dag_id=dag_id, **workload), rules=rules)

    def start_task(
        self, workload: dict[str, Any], *, rules: tuple[hosts.TaskRule, ...] = ()
    ) -> RunningAttempt:
        ti_id = UUID(workload["ti"]["id"]) if "id" in workload["ti"] else None
        return self.start(WorkKind.TASK, workload, ti_id, rules=rules)

    def start(
        self,
        kind: WorkKind,
        workload: dict[str, Any],
        ti_id: UUID | None = None,
        *,
        rules: tuple[hosts.TaskRule, ...] = (),
    ) -> RunningAttempt:
        attempt = RunningAttempt(
            attempt_id=uuid4(),
            secret=ids.new_secret(ids.LOCAL_SECRET_PREFIX),
            log_file=self.home / "logs" / (workload.get("log_path") or "none"),
            host=self,
            ti_id=ti_id or uuid4(),
        )
        self.say(
            hosts.RunAttempt(
                attempt_id=attempt.attempt_id,
                epoch=3,
                kind=kind,
                secret=attempt.secret,
                workload=workload,
                rules=rules,
            )
        )
        return attempt

    def stop(self, attempt: RunningAttempt, *, grace: float = 5.0, reason: str = "the test said so") -> None:
        self.say(hosts.StopAttempt(attempt_id=attempt.attempt_id, grace=grace, reason=reason))

    def close(self) -> None:
        self.control.close()
        self._lines.close()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise AssertionError("the host outlived its agent") from None


def _started(
    command: Sequence[str] | None, environ: dict[str, str], control: int, output: int
) -> forked.Process | subprocess.Popen[bytes]:
    if command is None:
        return forked.Process("tradewind_runtime", env=environ, pass_fds=[control], output=output)
    return subprocess.Popen(
        [*command, "-m", "tradewind_runtime"],
        env=environ,
        pass_fds=[control],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


@contextmanager
def serving(**listens: Any) -> Iterator[dict[str, FakeGateway]]:
    """A real HTTP server, which listens as uvicorn is told to; the entry `gateway` of what this yields answers."""
    current: dict[str, FakeGateway] = {}

    async def answer(request: Request) -> Response:
        return await current["gateway"].answer(request)

    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
    app = Starlette(routes=[Route("/execution/{rest:path}", answer, methods=methods)])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", **listens))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield current
    finally:
        server.should_exit = True
        thread.join()


def alive(pid: int) -> bool:
    """Whether a process is there, zombies included."""
    return Path(f"/proc/{pid}").exists()
