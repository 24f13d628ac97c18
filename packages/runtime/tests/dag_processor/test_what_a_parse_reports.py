"""What a Dag processor process tells the plane of the files that it parses: real processes and Dag files. What is asserted is what
crossed the wire."""

from __future__ import annotations

import json
import subprocess
import time
import zipfile

import pytest

from support.dag_processor_process import ONE_DAG, Site
from tradewind_protocol import dags
from tradewind_protocol.errors import Code, Refusal
from tradewind_protocol.sessions import Policy

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]


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


_LINGERS = """
import os, time
here = os.getpid()
end = os._exit
def lived():
    ticks = open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
def linger(code):
    os.closerange(0, 256)
    time.sleep(0.1)
    with open("{place}/lived-" + str(here), "w") as file:
        file.write(str(lived()))
    end(code)
os._exit = linger
"""


def test_a_parser_that_ends_a_moment_after_its_pipes_is_noticed_at_once(site: Site) -> None:
    """Not after the second that Airflow sleeps when it finds a process whose pipes have ended. A busy machine may be late, too, so
    the file is parsed again, each time with another result, until one parse shows it."""
    dag = ONE_DAG.format(dag_id="lingers", task_id="a").replace(
        "schedule=None", "schedule=None, tags=[str(here)]"
    )
    (site.dags / "lingers.py").write_text(_LINGERS.format(place=site.place) + dag)

    def noticed_after() -> float:
        result = site.plane.files()["lingers.py"]
        (pid,) = result.dags[0]["dag"]["tags"]
        return result.seconds - float((site.place / f"lived-{pid}").read_text())

    site.start()
    site.plane.wait_for(lambda: "lingers.py" in site.plane.files() and noticed_after() < 0.5)


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


def test_a_dag_may_name_an_executor_that_only_the_plane_has(site: Site) -> None:
    text = ONE_DAG.format(dag_id="named", task_id="a")
    (site.dags / "named.py").write_text(text.replace('task_id="a"', 'task_id="a", executor="the-planes-own"'))
    site.start()
    site.plane.wait_for(lambda: "named.py" in site.plane.files())
    assert site.plane.files()["named.py"].import_errors == {}
    assert "the-planes-own" in str(site.plane.files()["named.py"].dags)
