"""Parts of the local driver with real programs: processes that outlive their starter, databases of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from support import directories, postgresql
from tradewind.embedded.home_files import LinkFound
from tradewind.embedded.plane import Plane, PlaneSettings
from tradewind.embedded.processes import LocalProcess, wait_until
from tradewind_platform.drivers.databases import Databases
from tradewind_platform.local.processes import Processes

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
# As Airflow does: the title is written over the arguments, and over the environment where nothing forbids it.
TITLED = f"import setproctitle; setproctitle.setproctitle('x' * 4000); {SLEEPER}"


@pytest.fixture
def directory() -> Iterator[Path]:
    with directories.short() as made:
        made.chmod(0o755)
        yield made


@pytest.fixture
def processes(directory: Path) -> Iterator[Processes]:
    found = Processes(str(directory))
    yield found
    found.stop("d1", user=None, grace=5)


def process(
    directory: Path, program: str = SLEEPER, *, name: str = "server", user: int | None = None
) -> LocalProcess:
    python = sys.executable if user is None else "/usr/bin/python3"
    return LocalProcess(
        name,
        [python, "-c", program],
        env=dict(os.environ),
        log=directory / f"{name}.log",
        user=user,
        cwd=Path("/"),
    )


def is_up(made: LocalProcess, times: int = 1) -> None:
    wait_until(lambda: made.tail().count("up") >= times, timeout=30, what="the program is up")


@pytest.mark.parametrize("program", [SLEEPER, TITLED], ids=["plain", "titled"])
def test_a_process_is_found_by_another_driver_of_the_same_home_and_by_no_other(
    directory: Path, processes: Processes, program: str
) -> None:
    made = process(directory, program)
    processes.start("d1", made)
    is_up(made)
    found = Processes(str(directory)).find("d1", "server", user=None)
    assert found is not None and found.pid == getattr(processes.find("d1", "server", user=None), "pid", None)
    assert processes.find("d1", "other", user=None) is None
    assert processes.find("d2", "server", user=None) is None
    assert Processes("/elsewhere").find("d1", "server", user=None) is None


def test_a_process_is_started_once_and_again_for_another_revision(
    directory: Path, processes: Processes
) -> None:
    made = process(directory)
    processes.start("d1", made, revision=1)
    is_up(made)
    first = processes.find("d1", "server", user=None)
    processes.start("d1", made, revision=1)
    assert processes.find("d1", "server", user=None) == first
    processes.start("d1", made, revision=2)
    is_up(made, times=2)
    second = processes.find("d1", "server", user=None)
    assert first is not None and second is not None and second.pid != first.pid
    assert not first.is_running()


def test_scenario_10_a_process_outlives_the_one_that_started_it(
    directory: Path, processes: Processes
) -> None:
    starter = f"""
        from pathlib import Path
        from tradewind.embedded.processes import LocalProcess
        from tradewind_platform.local.processes import Processes
        made = LocalProcess("server", [{sys.executable!r}, "-c", {SLEEPER!r}], env={{}}, log=Path({str(directory)!r}) / "log")
        Processes({str(directory)!r}).start("d1", made)
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(starter)], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert processes.find("d1", "server", user=None) is not None


@pytest.mark.timeout(60)
def test_stop_does_not_wait_for_a_parent_that_reads_no_exit_code(
    directory: Path, processes: Processes
) -> None:
    """As the first process of a container may be: what has ended stays a zombie."""
    made = process(directory)
    processes.start("d1", made)
    is_up(made)
    found = processes.find("d1", "server", user=None)
    assert found is not None
    Processes(str(directory)).stop("d1", user=None, grace=600)
    assert found.status() == psutil.STATUS_ZOMBIE


def test_stop_ends_children_that_ignore_it(directory: Path, processes: Processes) -> None:
    stubborn = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); "
        "print('up', os.getpid(), flush=True); time.sleep(600)"
    )
    made = process(directory, stubborn)
    processes.start("d1", made)
    is_up(made, times=2)
    pids = [int(line.split()[1]) for line in made.tail().splitlines()]
    processes.stop("d1", user=None, grace=0.1)

    def is_gone(pid: int) -> bool:
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    wait_until(lambda: all(map(is_gone, pids)), timeout=30, what="both are gone")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes as another user")
def test_scenario_3_a_process_of_another_user_that_bears_the_mark_is_not_taken_for_the_deployments(
    directory: Path, processes: Processes
) -> None:
    made = process(directory, user=53001)
    processes.start("d1", made)
    is_up(made)
    found = processes.find("d1", "server", user=53001)
    assert found is not None and found.uids().real == found.gids().real == 53001
    assert found.environ()["SPT_NOENV"] == "1"
    assert processes.find("d1", "server", user=53002) is None
    assert processes.find("d1", "server", user=None) is None
    processes.stop("d1", user=53002)
    assert found.is_running()
    processes.stop("d1", user=53001)
    assert not found.is_running() or found.status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes as another user")
def test_a_user_id_without_an_account_has_a_name_and_a_home_as_airflow_asks_for_them(directory: Path) -> None:
    plane = Plane(PlaneSettings(home=directory, interpreter=Path("/usr/bin/python3"), user=53001))
    program = "import getpass, os.path; print(getpass.getuser(), os.path.expanduser('~'))"
    done = subprocess.run(
        ["/usr/bin/python3", "-c", program],
        env=plane.env,
        user=53001,
        group=53001,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["uid-53001", str(directory)], done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes into another user's directory")
def test_a_log_that_is_a_link_is_not_written_by_root(directory: Path, processes: Processes) -> None:
    target = directory / "target"
    target.write_text("before")
    made = process(directory, user=53001)
    made.log.symlink_to(target)
    with pytest.raises(LinkFound, match="is a link"):
        processes.start("d1", made)
    assert target.read_text() == "before"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes into another user's directory")
def test_scenario_3_links_of_a_deployments_user_lead_root_to_no_file_of_the_machine(directory: Path) -> None:
    """Code of a Deployment runs as its user, who owns its home: a link there gave that user what it led to, and overwrote it."""
    outside, home = directory / "outside", directory / "home"
    outside.mkdir()
    home.mkdir()
    secret = outside / "secret"
    secret.write_text("[core]\nfernet_key = of-somebody-else\n")
    plane = Plane(PlaneSettings(home=home, interpreter=Path("/bin/true"), user=53001))
    (home / "airflow.cfg").symlink_to(secret)
    with pytest.raises(LinkFound, match="airflow.cfg in .* is a link"):
        plane.configure()
    (home / "airflow.cfg").unlink()
    plane.configure()
    (home / "logs").symlink_to(outside)
    with pytest.raises(LinkFound, match="logs in .* is a link"):
        plane.migrate()
    assert secret.read_text().endswith("of-somebody-else\n") and sorted(os.listdir(outside)) == ["secret"]
    assert {one.stat().st_uid for one in (outside, secret)} == {os.geteuid()}
    assert (home / "airflow.cfg").stat().st_uid == (home / "passwords.json").stat().st_uid == 53001


def connect(databases: Databases, slug: str, password: str, database: str) -> None:
    url = databases.url(slug, password)
    psycopg2.connect(
        host=url.query.get("host") or url.host, port=url.port, user=slug, password=password, dbname=database
    ).close()


def url_of(server: postgresql.PostgreSQL, role: str) -> str:
    """Of a new database, for the server's superuser or for a role that may make roles and databases, and no more."""
    url = make_url(server.new_database())
    if role == "superuser":
        return url.render_as_string(hide_password=False)
    with create_engine(url).begin() as db:
        db.exec_driver_sql("CREATE ROLE maker LOGIN CREATEDB CREATEROLE PASSWORD 'maker'")
    return url.set(username="maker", password="maker").render_as_string(hide_password=False)


@pytest.mark.postgresql
@pytest.mark.parametrize("role", ["superuser", "maker"])
def test_scenario_3_a_deployments_role_opens_its_own_database_and_no_other(
    server: postgresql.PostgreSQL, role: str
) -> None:
    databases = Databases(url_of(server, role))
    for slug in ("d1", "d2"):
        databases.ensure(slug, f"password-{slug}")
        databases.ensure(slug, f"password-{slug}")
    connect(databases, "d1", "password-d1", "d1")
    databases.replace("d2", "password-d2")
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        connect(databases, "d1", "password-d1", "d2")
    for slug in ("d1", "d2"):
        databases.erase(slug)
        databases.erase(slug)
    with pytest.raises(psycopg2.OperationalError):
        connect(databases, "d1", "password-d1", "d1")
