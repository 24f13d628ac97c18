"""The dag processor process as the agent starts it: a real process, a real HTTP server in the plane's place that records
every request, real Dag files. What is asserted is what crossed the wire."""

from __future__ import annotations

import json
import os
import socket
import socketserver
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from support import forked
from support.secrets_backend import local_files
from tradewind_protocol import dags, hosts
from tradewind_protocol.errors import Code, Refusal
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

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

    def wait_for(self, predicate: Callable[[], bool], seconds: float = 25) -> None:
        with self.condition:
            assert self.condition.wait_for(predicate, seconds), "it did not happen"

    def files(self) -> dict[str, dags.FileResult]:
        """The latest result of each file."""
        return {file.path: file for report, _ in self.reports for file in report.files}

    def poke_until(self, predicate: Callable[[], bool], seconds: float = 25) -> None:
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
            hosts.CONTROL_FD: str(theirs.fileno()),
            **env,
        }
        self.log = site.place / f"host{len(site.hosts)}.log"
        with self.log.open("wb") as out:
            self.process = forked.Process(
                "tradewind_runtime", env=environment, pass_fds=[theirs.fileno()], output=out.fileno()
            )
        theirs.close()
        options = {"bundles": site.bundles, **configure.pop("options", {})}
        self.send(
            hosts.Configure(
                component=Component.DAG_PROCESSOR,
                agent_name="test",
                gateway=str(site.place / "gw"),
                secret="tw_local_test",
                log_directory=str(site.place / "logs"),
                options=options,
                **configure,
            )
        )

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


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    short = Path(os.path.realpath(f"/tmp/tw{uuid4().hex[:8]}"))  # a unix socket's path is short
    short.mkdir()
    here = Site(short)
    yield here
    here.close()
    subprocess.run(["rm", "-rf", str(short)], check=True)


def test_an_unchanged_file_is_sent_once_and_then_costs_nothing(site: Site) -> None:
    site.write("one.py")
    host = site.start()
    assert host.hello().bundles == ("main",)
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    result = site.plane.files()["one.py"]
    assert [dag["dag"]["dag_id"] for dag in result.dags] == ["one"]
    assert result.dags[0]["dag"]["fileloc"] == "/dev/null/main/one.py"
    assert result.source is None
    site.write("two.py", "two")
    site.plane.wait_for(lambda: "two.py" in site.plane.files())
    logs = list((site.place / "logs" / "dag_processor").rglob("one.py.log"))
    assert logs, "the parser of one.py logged nothing"
    site.write("three.py", "three")  # one.py has been parsed several times by the time this one is seen
    site.plane.wait_for(lambda: "three.py" in site.plane.files())
    sent = [file.path for report, _ in site.plane.reports for file in report.files]
    assert sorted(sent) == ["one.py", "three.py", "two.py"]
    assert all(size < 400 for report, size in site.plane.reports if not report.files)
    assert not (site.place / "home" / "airflow.db").exists()


def test_an_unchanged_file_is_parsed_again_since_it_may_read_something_that_changed(site: Site) -> None:
    read = site.place / "read"
    read.write_text("before")
    text = ONE_DAG.format(dag_id="reads", task_id="a").replace('"a"', f"open({str(read)!r}).read()")
    (site.dags / "reads.py").write_text(text)
    site.start()
    site.plane.wait_for(lambda: "reads.py" in site.plane.files())
    assert "before" in json.dumps(site.plane.files()["reads.py"].dags)
    read.write_text("after")
    site.plane.wait_for(lambda: "after" in json.dumps(site.plane.files()["reads.py"].dags))


def test_a_parser_begins_with_what_dag_files_need_of_airflow(site: Site) -> None:
    text = ONE_DAG.format(dag_id="early", task_id="a").replace("schedule=None", "schedule=None, tags=early")
    (site.dags / "early.py").write_text(
        "import logging, sys\n"
        "wanted = ['airflow.providers.standard.decorators.python', 'airflow.serialization.serialized_objects']\n"
        "early = [name for name in wanted if name in sys.modules]\n"
        "print('printed by a Dag file')\n"
        "logging.getLogger('of.a.dag.file').warning('logged by a Dag file')\n" + text
    )
    site.start()
    site.plane.wait_for(lambda: "early.py" in site.plane.files())
    assert sorted(site.plane.files()["early.py"].dags[0]["dag"]["tags"]) == [
        "airflow.providers.standard.decorators.python",
        "airflow.serialization.serialized_objects",
    ]
    logged = next((site.place / "logs" / "dag_processor").rglob("early.py.log")).read_text()
    assert "printed by a Dag file" in logged
    assert '"logged by a Dag file"' in logged
    assert '"of.a.dag.file"' in logged


def test_what_changed_vanished_or_broke_is_told_at_once(site: Site) -> None:
    site.write("changing.py", "changing", "before")
    site.write("leaving.py", "leaving")
    broken = site.dags / "broken.py"
    broken.write_text("from airflow.sdk import DAG\nSECRET_LINE = nowhere_defined\n")
    site.start()
    site.plane.wait_for(lambda: len(site.plane.files()) == 3)
    error = site.plane.files()["broken.py"].import_errors["broken.py"]
    assert "NameError" in error
    assert "SECRET_LINE" not in error
    assert str(site.dags) not in error
    site.write("changing.py", "changing", "after")
    (site.dags / "leaving.py").unlink()
    site.plane.wait_for(lambda: "after" in json.dumps(site.plane.files()["changing.py"].dags))
    site.plane.wait_for(lambda: any("leaving.py" in report.removed for report, _ in site.plane.reports))
    site.write("broken.py", "recovered")
    site.plane.wait_for(lambda: not site.plane.files()["broken.py"].import_errors)


def test_a_plane_that_holds_everything_is_sent_nothing_by_a_new_host(site: Site) -> None:
    site.write("one.py")
    first = site.start()
    site.plane.wait_for(lambda: "one.py" in site.plane.held["main"])
    first.kill()
    before = len(site.plane.reports)
    site.write("two.py", "two")
    site.start()
    site.plane.wait_for(lambda: "two.py" in site.plane.held["main"])
    assert [file.path for report, _ in site.plane.reports[before:] for file in report.files] == ["two.py"]


def test_a_plane_restored_from_a_backup_gets_what_it_lost(site: Site) -> None:
    site.write("one.py")
    site.start()
    site.plane.wait_for(lambda: "one.py" in site.plane.held.get("main", {}))
    with site.plane.condition:
        site.plane.held["main"] = {"gone.py": ("ab", None)}
        site.plane.mark = "restored"
    site.plane.tell(dags.News())
    site.plane.wait_for(lambda: set(site.plane.held["main"]) == {"one.py"})


def test_results_wait_while_the_plane_is_away(site: Site) -> None:
    site.write("one.py")
    site.plane.failing = 2
    site.start()
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    assert len([1 for report, _ in site.plane.reports if report.files]) == 1


def test_a_refused_file_is_not_sent_again_until_it_changes(site: Site) -> None:
    refusal = Refusal(error=Code.MALFORMED, message="no")

    def refuse(report: dags.Report) -> dags.Reported | None:
        if not any(file.path == "bad.py" for file in report.files):
            return None
        return dags.Reported(
            mark=site.plane.mark,
            before=site.plane.mark,
            refused=(dags.FileRefused(path="bad.py", refusal=refusal),),
        )

    site.plane.refusing = refuse
    site.write("bad.py", "bad")
    site.start()
    site.plane.wait_for(lambda: "bad.py" in site.plane.files())
    site.write("ok.py", "ok")
    site.plane.wait_for(lambda: "ok.py" in site.plane.held["main"])
    site.write("ok2.py", "ok2")
    site.plane.wait_for(lambda: "ok2.py" in site.plane.held["main"])
    assert sum(file.path == "bad.py" for report, _ in site.plane.reports for file in report.files) == 1


def test_a_host_that_stands_by_parses_nothing_until_it_may_speak(site: Site) -> None:
    site.plane.role = dags.Role.STANDS_BY
    site.write("one.py")
    site.start()
    site.plane.wait_for(lambda: bool(site.plane.watches))
    assert site.plane.watches[0].marks == {"main": ""}
    assert not site.plane.reports
    with site.plane.condition:
        site.plane.role = dags.Role.SPEAKS
    site.plane.tell(dags.News(claim=("main",)))
    site.plane.wait_for(lambda: "one.py" in site.plane.files())


HELD_UP = """
import pathlib, time
pathlib.Path({folder!r}, "begun").touch()
while not pathlib.Path({folder!r}, "go on").exists():
    time.sleep(0.01)
"""


def test_a_file_that_is_asked_for_while_it_is_parsed_is_parsed_again(site: Site, tmp_path: Path) -> None:
    path = site.dags / "one.py"
    path.write_text(HELD_UP.format(folder=str(tmp_path)) + ONE_DAG.format(dag_id="one", task_id="before"))
    site.bundles[0]["kwargs"]["refresh_interval"] = 3600
    site.start(env={"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600"})
    site.plane.poke_until((tmp_path / "begun").exists)
    path.write_text(ONE_DAG.format(dag_id="one", task_id="changed"))
    site.plane.tell(dags.News(parse=(dags.ParseRequest(id="r1", bundle="main", path="one.py"),)))
    site.plane.poke_until(lambda: any("r1" in watch.parsing for watch in site.plane.watches))
    (tmp_path / "go on").touch()
    site.plane.wait_for(lambda: "changed" in json.dumps([file.dags for file in site.plane.files().values()]))


def test_a_file_that_somebody_asks_for_is_parsed_before_its_interval_is_over(site: Site) -> None:
    path = site.write("one.py")
    # Nothing is looked at again by itself while this test runs.
    site.bundles[0]["kwargs"]["refresh_interval"] = 3600
    site.start(env={"AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600"})
    site.plane.wait_for(lambda: "one.py" in site.plane.files() and bool(site.plane.watches))
    content = ONE_DAG.format(dag_id="one", task_id="changed")
    path.write_text(content)
    os.utime(path, (1, 1))
    site.plane.tell(dags.News(parse=(dags.ParseRequest(id="r1", bundle="main", path="one.py"),)))
    site.plane.wait_for(lambda: "changed" in json.dumps(site.plane.files()["one.py"].dags))
    site.plane.wait_for(lambda: any("r1" in watch.parsing for watch in site.plane.watches))


def test_a_callback_runs_once_it_is_granted_and_is_then_done(site: Site) -> None:
    ran = site.place / "ran"
    (site.dags / "called.py").write_text(
        "from airflow.sdk import DAG\n"
        "from airflow.providers.standard.operators.empty import EmptyOperator\n"
        f"def note(context):\n    open({str(ran)!r}, 'a').write(context['run_id'] + '\\n')\n"
        "with DAG('called', schedule=None, on_failure_callback=note):\n    EmptyOperator(task_id='a')\n"
    )
    site.start()
    site.plane.wait_for(lambda: "called.py" in site.plane.files())
    offer = dags.CallbackOffer(
        id=UUID(int=7),
        bundle="main",
        request={
            "type": "DagCallbackRequest",
            "filepath": "called.py",
            "bundle_name": "main",
            "bundle_version": None,
            "dag_id": "called",
            "run_id": "manual__1",
            "is_failure_callback": True,
            "msg": "failed",
        },
    )
    site.plane.tell(dags.News(callbacks=(offer,)))
    site.plane.wait_for(lambda: any(offer.id in watch.confirm for watch in site.plane.watches))
    site.plane.poke_until(lambda: any(offer.id in watch.done for watch in site.plane.watches))
    assert ran.exists(), site.story()
    assert ran.read_text() == "manual__1\n"


def test_a_dag_file_and_its_callback_read_what_a_secrets_backend_has(site: Site) -> None:
    ran = site.place / "ran"
    (site.dags / "reads.py").write_text(
        "from airflow.sdk import DAG, BaseHook, Variable\n"
        "from airflow.models import Connection, Variable as OldVariable\n"
        "from airflow.providers.standard.operators.empty import EmptyOperator\n"
        "old = Connection(conn_id='mine', uri='generic://me@there:1/x').host + OldVariable(key='k', val='v').val\n"
        "def read():\n"
        "    return BaseHook.get_connection('site_only').host + ' ' + Variable.get('site_only')\n"
        f"def note(context):\n    open({str(ran)!r}, 'w').write(read())\n"
        "with DAG('reads', schedule=None, tags=[read(), old], on_failure_callback=note):\n"
        "    EmptyOperator(task_id='a')\n"
    )
    site.start(env=local_files(site.place))
    site.plane.wait_for(lambda: "reads.py" in site.plane.files())
    result = site.plane.files()["reads.py"]
    assert result.dags, (result.import_errors, site.story())
    assert sorted(result.dags[0]["dag"]["tags"]) == ["file-host from the file", "therev"]
    request = {
        "type": "DagCallbackRequest",
        "filepath": "reads.py",
        "bundle_name": "main",
        "bundle_version": None,
        "dag_id": "reads",
        "run_id": "manual__1",
        "is_failure_callback": True,
        "msg": "failed",
    }
    offer = dags.CallbackOffer(id=UUID(int=8), bundle="main", request=request)
    site.plane.tell(dags.News(callbacks=(offer,)))
    site.plane.poke_until(lambda: any(offer.id in watch.done for watch in site.plane.watches))
    assert ran.exists() and ran.read_text() == "file-host from the file", site.story()


@pytest.mark.parametrize("outside", ["../outside.py", "{absolute}"])
def test_a_file_outside_its_bundle_is_not_read_whatever_the_plane_asks(site: Site, outside: str) -> None:
    ran, file = site.place / "ran", site.dags.parent / "outside.py"
    file.write_text(f"open({str(ran)!r}, 'w').close()\n")
    path = outside.format(absolute=file)
    site.write("one.py")
    site.start()
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    request = {
        "type": "DagCallbackRequest",
        "filepath": path,
        "bundle_name": "main",
        "bundle_version": None,
        "dag_id": "called",
        "run_id": "manual__1",
        "is_failure_callback": True,
        "msg": "failed",
    }
    offer = dags.CallbackOffer(id=UUID(int=8), bundle="main", request=request)
    wish = dags.ParseRequest(id="r1", bundle="main", path=path)
    site.plane.tell(dags.News(callbacks=(offer,), parse=(wish,)))
    site.plane.poke_until(lambda: any(offer.id in watch.done for watch in site.plane.watches))
    assert any("r1" in watch.parsing for watch in site.plane.watches)
    assert not ran.exists(), site.story()


def test_source_travels_only_where_the_site_says_so(site: Site) -> None:
    site.write("one.py")
    with zipfile.ZipFile(site.dags / "packed.zip", "w") as archive:
        archive.writestr("inner.py", ONE_DAG.format(dag_id="packed", task_id="a"))
    site.start(policy=Policy.OPEN)
    site.plane.wait_for(lambda: {"one.py", "packed.zip"} <= set(site.plane.files()))
    assert site.plane.files()["one.py"].source == {"one.py": (site.dags / "one.py").read_text()}
    packed = site.plane.files()["packed.zip"]
    assert packed.source == {"packed.zip/inner.py": ONE_DAG.format(dag_id="packed", task_id="a")}
    assert packed.dags[0]["dag"]["fileloc"] == "/dev/null/main/packed.zip/inner.py"


def test_a_parser_that_ends_a_moment_after_its_pipes_is_noticed_at_once(site: Site) -> None:
    (site.dags / "lingers.py").write_text(
        "import os, time\n"
        "end = os._exit\n"
        "def linger(code):\n    os.closerange(0, 256)\n    time.sleep(0.1)\n    end(code)\n"
        "os._exit = linger\n" + ONE_DAG.format(dag_id="lingers", task_id="a")
    )
    site.start()
    site.plane.wait_for(lambda: "lingers.py" in site.plane.files())
    assert site.plane.files()["lingers.py"].dags
    assert 0.1 <= site.plane.files()["lingers.py"].seconds < 0.9


def test_a_dag_file_hears_of_its_own_children_only(site: Site) -> None:
    text = ONE_DAG.format(dag_id="hears", task_id="a").replace("schedule=None", "schedule=None, tags=[heard]")
    (site.dags / "hears.py").write_text(
        "import signal\n"
        "heard = str((signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL, signal.set_wakeup_fd(-1)))\n" + text
    )
    site.start()
    site.plane.wait_for(lambda: "hears.py" in site.plane.files())
    assert site.plane.files()["hears.py"].dags[0]["dag"]["tags"] == ["(True, -1)"]


def test_a_parse_that_dies_is_an_import_error(site: Site) -> None:
    (site.dags / "dies.py").write_text("import os\nfrom airflow.sdk import DAG\nos._exit(3)\n")
    site.start()
    site.plane.wait_for(lambda: "dies.py" in site.plane.files())
    assert "ended without a result" in site.plane.files()["dies.py"].import_errors["dies.py"]


def test_a_bundle_that_cannot_be_made_is_named_and_spoils_no_other(site: Site) -> None:
    site.write("one.py")
    site.bundles.append(
        {
            "name": "repo",
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {"tracking_ref": "main", "git_conn_id": "not_there"},
        }
    )
    site.start()
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    assert [one.name for one in site.plane.claims[0].bundles] == ["main"]
    assert site.plane.claims[0].kept == ("repo",)


def test_the_host_ends_with_its_agent_and_leaves_no_parser_behind(site: Site) -> None:
    (site.dags / "slow.py").write_text("import time\nfrom airflow.sdk import DAG\ntime.sleep(600)\n")
    host = site.start()
    host.hello()
    site.plane.wait_for(lambda: bool(site.plane.watches))
    logs = site.place / "logs"
    deadline = time.monotonic() + 20
    while not list(logs.rglob("slow.py.log")) and time.monotonic() < deadline:
        with site.plane.condition:
            site.plane.condition.wait(0.1)
    host.control.close()
    assert host.process.wait(20) == 0
    # a parser is told to end as its host goes, and takes a moment to be gone
    deadline = time.monotonic() + 10
    while (left := _of_group(host.process.pid)) and time.monotonic() < deadline:
        pass
    assert left == []


def _of_group(group: int) -> list[str]:
    """Its processes that have not ended."""
    shown = subprocess.run(["ps", "-o", "stat=,args=", "-g", str(group)], capture_output=True, text=True)
    return [line for line in shown.stdout.splitlines() if not line.startswith("Z")]


def _git(place: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments],
        cwd=place,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def test_a_git_bundle_names_its_commit_and_a_file_no_commit_touched_travels_without_its_dags(
    site: Site,
) -> None:
    work, bare = site.place / "work", site.place / "repo.git"
    _git(site.place, "init", "-q", "-b", "main", str(work))
    (work / "one.py").write_text(ONE_DAG.format(dag_id="one", task_id="a"))
    (work / "two.py").write_text(ONE_DAG.format(dag_id="two", task_id="a"))
    _git(work, "add", ".")
    _git(work, "commit", "-qm", "first")
    first = _git(work, "rev-parse", "HEAD")
    _git(site.place, "clone", "-q", "--bare", str(work), str(bare))
    site.bundles[:] = [
        {
            "name": "repo",
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {"tracking_ref": "main", "git_conn_id": "site_git", "refresh_interval": 1},
        }
    ]
    site.start(env={"AIRFLOW_CONN_SITE_GIT": json.dumps({"conn_type": "git", "host": f"file://{bare}"})})
    site.plane.wait_for(lambda: set(site.plane.held.get("repo", {})) == {"one.py", "two.py"})
    assert {version for _, version in site.plane.held["repo"].values()} == {first}
    (work / "two.py").write_text(ONE_DAG.format(dag_id="two", task_id="b"))
    _git(work, "commit", "-qam", "second")
    second = _git(work, "rev-parse", "HEAD")
    before = len(site.plane.reports)
    _git(work, "push", "-q", str(bare), "main")
    site.plane.wait_for(lambda: {version for _, version in site.plane.held["repo"].values()} == {second})
    later = [report for report, _ in site.plane.reports[before:]]
    assert {file.path for report in later for file in report.files} == {"two.py"}
    assert "one.py" in {same.path for report in later for same in report.same}


def test_a_dag_may_name_an_executor_that_only_the_plane_has(site: Site) -> None:
    text = ONE_DAG.format(dag_id="named", task_id="a")
    (site.dags / "named.py").write_text(text.replace('task_id="a"', 'task_id="a", executor="the-planes-own"'))
    site.start()
    site.plane.wait_for(lambda: "named.py" in site.plane.files())
    assert site.plane.files()["named.py"].import_errors == {}
    assert "the-planes-own" in str(site.plane.files()["named.py"].dags)


def test_a_bundle_that_cannot_be_fetched_is_a_finding_in_gits_words_and_is_left_alone_for_a_while(
    site: Site,
) -> None:
    site.write("one.py")
    away = "http://ada:SECRET@127.0.0.1:1/dags.git"
    site.bundles.append(
        {
            "name": "away",
            "classpath": "airflow.providers.git.bundles.git.GitDagBundle",
            "kwargs": {"tracking_ref": "main", "repo_url": away, "refresh_interval": 1},
        }
    )
    host = site.start()
    finding = None
    while finding is None:
        message = hosts.FROM_HOST.validate_json(host.control.readline())
        if isinstance(message, hosts.HostStatus):
            finding = next((one for one in message.findings if one.check == "bundle:away"), None)
    assert "bundle away cannot be fetched: " in finding.message
    assert "127.0.0.1" in finding.message
    assert "SECRET" not in finding.message
    assert finding.remedy.startswith("Look at the way from here")
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    for number in range(3):
        site.write(f"more_{number}.py", f"more_{number}")
        site.plane.poke_until(lambda number=number: f"more_{number}.py" in site.plane.files())
    tries = host.log.read_text().count("Error initializing bundle away")
    assert 1 <= tries <= 8
    assert "SECRET" not in host.log.read_text()


def test_a_site_without_bundles_claims_none_and_parses_nothing(site: Site) -> None:
    site.bundles = []
    host = site.start()
    assert host.hello().bundles == ()
    site.plane.wait_for(lambda: bool(site.plane.watches))
    assert {claim.bundles for claim in site.plane.claims} == {()}
    assert site.plane.reports == []


def test_a_bundle_may_have_any_name_that_airflow_takes(site: Site) -> None:
    site.write("one.py")
    site.bundles[0]["name"] = "the Dags of März"
    host = site.start()
    assert host.hello().bundles == ("the Dags of März",)
    site.plane.wait_for(lambda: "one.py" in site.plane.files())
    assert site.plane.files()["one.py"].dags[0]["dag"]["fileloc"] == "/dev/null/the Dags of März/one.py"
