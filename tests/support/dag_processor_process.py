"""A Dag processor process as the agent starts it, on a site whose plane is a real HTTP server that says yes and records every request."""

from __future__ import annotations

import os
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from uuid import uuid4

from support import prepared_hosts
from tradewind_protocol import dags, hosts
from tradewind_protocol.errors import Code, Refusal
from tradewind_protocol.states import Component

ONE_DAG = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG("{dag_id}", schedule=None):
    EmptyOperator(task_id="{task_id}")
"""


class FakePlane(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Says yes to everything, and remembers it."""

    daemon_threads = True
    request_queue_size = 50

    def __init__(self, path: Path) -> None:
        self.condition = threading.Condition()
        self.role = dags.Role.SPEAKS
        self.held: dict[str, dict[str, tuple[str, str | None]]] = {"main": {}}
        self.mark = "first"
        self.claims: list[dags.Claim] = []
        self.reports: list[tuple[dags.Report, int]] = []
        self.watches: list[dags.Watch] = []
        self.news: list[dags.News] = []
        self.failing = 0
        self.refusing: Callable[[dags.Report], dags.Reported | None] = lambda _: None
        self.execution: list[str] = []
        super().__init__(str(path), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here."""

    def answer(self, path: str, body: bytes) -> tuple[int, bytes]:
        with self.condition:
            try:
                if self.failing:
                    self.failing -= 1
                    return 503, Refusal(error=Code.UNAVAILABLE, message="away").model_dump_json().encode()
                if path == dags.CLAIM:
                    return 200, self._claim(dags.Claim.model_validate_json(body)).model_dump_json().encode()
                if path == dags.REPORT:
                    report = dags.Report.model_validate_json(body)
                    return 200, self._report(report, len(body)).model_dump_json().encode()
                if path == dags.WATCH:
                    return 200, self._watch(dags.Watch.model_validate_json(body)).model_dump_json().encode()
                self.execution.append(path)
                return 404, b'{"detail": {"reason": "not_found", "message": "none"}}'
            finally:
                self.condition.notify_all()

    def _claim(self, claim: dags.Claim) -> dags.Claimed:
        self.claims.append(claim)
        told = []
        for one in claim.bundles:
            files = self.held.setdefault(one.name, {})
            told.append(
                dags.BundleClaimed(
                    name=one.name,
                    role=self.role,
                    mark=self.mark,
                    files=tuple(dags.HeldFile(path=p, content=c, version=v) for p, (c, v) in files.items()),
                )
            )
        return dags.Claimed(bundles=tuple(told))

    def _report(self, report: dags.Report, size: int) -> dags.Reported:
        self.reports.append((report, size))
        if (answer := self.refusing(report)) is not None:
            return answer
        held = self.held[report.bundle]
        for file in (*report.files, *report.same):
            held[file.path] = (file.content, report.version)
        for path in report.removed:
            held.pop(path, None)
        before, self.mark = self.mark, uuid4().hex
        names = [file.path for file in (*report.files, *report.same)] + list(report.removed)
        return dags.Reported(mark=self.mark, before=before, stored=tuple(names))

    def _watch(self, watch: dags.Watch) -> dags.News:
        self.watches.append(watch)
        self.condition.notify_all()
        if any(mark != self.mark for mark in watch.marks.values() if mark):
            return dags.News(claim=tuple(watch.marks), granted=watch.confirm)
        self.condition.wait_for(lambda: bool(self.news), watch.hold)
        granted = watch.confirm
        return (
            self.news.pop(0).model_copy(update={"granted": granted})
            if self.news
            else dags.News(granted=granted)
        )

    # ---- what tests ask

    def wait_for(self, predicate: Callable[[], bool], seconds: float = 50) -> None:
        with self.condition:
            assert self.condition.wait_for(predicate, seconds), "it did not happen"

    def files(self) -> dict[str, dags.FileResult]:
        """The latest result of each file."""
        return {file.path: file for report, _ in self.reports for file in report.files}

    def poke_until(self, predicate: Callable[[], bool], seconds: float = 50) -> None:
        """As `wait_for`, with an empty answer to the watch every half second."""
        deadline = time.monotonic() + seconds
        with self.condition:
            while not self.condition.wait_for(predicate, 0.5):
                assert time.monotonic() < deadline, f"it did not happen; {self.watches[-4:]}"
                self.news = self.news or [dags.News()]
                self.condition.notify_all()

    def tell(self, news: dags.News) -> None:
        with self.condition:
            self.news.append(news)
            self.condition.notify_all()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakePlane

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert self.headers["Authorization"] == "Bearer tw_local_test"
        status, answer = self.server.answer(self.path, body)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve

    def log_message(self, *_: Any) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


class Site:
    """A directory with Dags, a fake plane and hosts on it."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.dags = place / "dags"
        self.dags.mkdir()
        self.plane = FakePlane(place / "gw")
        self.bundles: list[dict[str, Any]] = [
            {
                "name": "main",
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(self.dags), "refresh_interval": 1},
            }
        ]
        self.hosts: list[Running] = []
        threading.Thread(target=self.plane.serve_forever, args=(0.05,), daemon=True).start()

    def write(self, name: str, dag_id: str = "one", task_id: str = "a") -> Path:
        path = self.dags / name
        path.write_text(ONE_DAG.format(dag_id=dag_id, task_id=task_id))
        os.utime(path, (time.time() + self._tick(), time.time() + self._tick()))
        return path

    def _tick(self) -> float:
        self._ticks = getattr(self, "_ticks", 0) + 1
        return float(self._ticks)

    def start(self, *, env: dict[str, str] | None = None, **configure: Any) -> Running:
        host = Running(self, env or {}, configure)
        self.hosts.append(host)
        return host

    def story(self) -> str:
        """All logs, for a failing test."""
        return "\n".join(f"== {p}\n{p.read_text()}" for p in sorted(self.place.rglob("*.log")))

    def close(self) -> None:
        for host in self.hosts:
            host.kill()
        self.plane.shutdown()
        self.plane.server_close()


class Running:
    """One host process and the agent's end of its control socket."""

    def __init__(self, site: Site, env: dict[str, str], configure: dict[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        self.control = ours.makefile("rwb", buffering=0)
        ours.close()
        home = site.place / "home"
        home.mkdir(exist_ok=True)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(site.place / "storage"),
            **env,
        }
        self.log = site.place / f"host{len(site.hosts)}.log"
        options = {"bundles": site.bundles, **configure.pop("options", {})}
        configured = hosts.Configure(
            component=Component.DAG_PROCESSOR,
            agent_name="test",
            gateway=str(site.place / "gw"),
            secret="tw_local_test",
            log_directory=str(site.place / "logs"),
            options=options,
            **configure,
        )
        with self.log.open("wb") as out:
            self.process = prepared_hosts.start(
                environment, configured, control=theirs.fileno(), output=out.fileno()
            )
        theirs.close()
        self.send(configured)

    def send(self, message: Any) -> None:
        self.control.write(hosts.line(message))

    def hello(self) -> hosts.Hello:
        while line := self.control.readline():
            message = hosts.FROM_HOST.validate_json(line)
            if isinstance(message, hosts.Hello):
                return message
            assert not isinstance(message, hosts.Problem), message
        raise AssertionError(self.log.read_text())

    def kill(self) -> None:
        self.control.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
