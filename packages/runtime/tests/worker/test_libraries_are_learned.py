"""Later attempts of a Dag file start with its libraries, and see what a fresh process would have shown them."""

from __future__ import annotations

import json
import os
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tradewind_protocol.states import OutcomeKind

pytestmark = pytest.mark.process

HEAD = """
import os, sys, threading
STARTED_WITH = sorted(name for name in sys.modules if name.startswith("tw_learned"))
"""
TAIL = """
from airflow.sdk import DAG, task

with DAG("worker_host", schedule=None):

    @task
    def tells():
        print("TOLD", json.dumps(FACTS))

    tells()
"""


class Site:
    """Dags and an installed library, both of which a test may change, and a host that runs them."""

    def __init__(self, host: object, dags: Path, libraries: Path) -> None:
        self.host, self.dags, self.libraries = host, dags, libraries

    def writes(self, text: str, facts: str) -> None:
        """The Dag file: imports as `text` has them, and the facts its task tells."""
        self.dags.joinpath("worker_host.py").write_text(
            f"import json\n{HEAD}\n{text}\nFACTS = {{'started_with': STARTED_WITH, {facts}}}\n{TAIL}"
        )

    def tells(self) -> dict[str, object]:
        attempt = self.host.run("tells")
        assert attempt.outcome().kind is OutcomeKind.SUCCEEDED, attempt.log()
        for line in attempt.log().splitlines():
            event = str(json.loads(line).get("event", "")) if line.startswith("{") else line
            if event.startswith("TOLD "):
                return dict(json.loads(event.removeprefix("TOLD ")))
        raise AssertionError(attempt.log() + self.host.output.read_text())

    def tells_with(self, started_with: list[str], within: float = 12.0) -> dict[str, object]:
        """What it tells once an attempt starts with those modules."""
        deadline = time.monotonic() + within
        while (told := self.tells())["started_with"] != started_with:
            assert time.monotonic() < deadline, (told, self.host.output.read_text())
        return told


@pytest.fixture
def site(own_host: Callable, own_home: Path) -> Iterator[Site]:
    libraries = Path(sysconfig.get_path("purelib"))
    dags = own_home / "dags"
    dags.mkdir()
    bundle = {
        "name": "dags",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(dags)},
    }
    environ = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([bundle])}
    yield Site(own_host(environ=environ), dags, libraries)
    for path in libraries.glob("tw_learned*.py"):
        path.unlink()


def _install(site: Site, name: str, text: str) -> Path:
    path = site.libraries / f"{name}.py"
    path.write_text(text)
    return path


@pytest.mark.timeout(60)
def test_a_library_is_there_when_a_later_attempt_starts_and_edited_on_disk_it_is_read_again(site: Site):
    library = _install(site, "tw_learned", "VALUE = 'old'\nPID = __import__('os').getpid()\n")
    site.writes("import tw_learned", "'value': tw_learned.VALUE")
    assert site.tells() == {"started_with": [], "value": "old"}
    assert site.tells_with(["tw_learned"])["value"] == "old"
    library.write_text("VALUE = 'new and longer'\n")
    time.sleep(1.1)  # the disk is looked at once a second
    assert site.tells() == {"started_with": [], "value": "new and longer"}
    assert site.tells_with(["tw_learned"])["value"] == "new and longer"


@pytest.mark.timeout(60)
def test_a_dag_file_that_sets_what_a_library_reads_at_its_import_is_obeyed(site: Site):
    _install(site, "tw_learned", "import os\nREAD = os.environ.get('TW_LEARNED', 'nothing')\n")
    site.writes("import tw_learned", "'read': tw_learned.READ")
    assert site.tells()["read"] == "nothing"
    assert site.tells_with(["tw_learned"])["read"] == "nothing"
    # the edited file is new: it starts from nothing, and from then on it always does
    site.writes("os.environ['TW_LEARNED'] = 'set by the Dag'\nimport tw_learned", "'read': tw_learned.READ")
    for _ in range(3):
        assert site.tells() == {"started_with": [], "read": "set by the Dag"}


@pytest.mark.timeout(60)
def test_the_bundles_own_modules_are_imported_anew_by_every_attempt(site: Site):
    _install(site, "tw_learned", "")
    own = site.dags / "tw_learned_own.py"
    own.write_text("VALUE = 1\n")
    site.writes("import tw_learned, tw_learned_own", "'value': tw_learned_own.VALUE")
    assert site.tells()["value"] == 1
    assert site.tells_with(["tw_learned"])["value"] == 1
    own.write_text("VALUE = 22\n")
    assert site.tells() == {"started_with": [], "value": 22}


@pytest.mark.timeout(60)
def test_a_bundles_module_hides_a_library_of_the_same_name(site: Site):
    _install(site, "tw_learned", "WHOSE = 'library'\n")
    site.writes("import tw_learned", "'whose': tw_learned.WHOSE")
    site.tells()
    site.tells_with(["tw_learned"])
    (site.dags / "tw_learned.py").write_text("WHOSE = 'bundle'\n")
    site.writes(
        "sys.path.insert(0, os.path.dirname(__file__))\nimport tw_learned", "'whose': tw_learned.WHOSE"
    )
    for _ in range(3):
        assert site.tells() == {"started_with": [], "whose": "bundle"}


@pytest.mark.timeout(60)
def test_a_library_with_a_thread_is_never_shared_and_those_beside_it_are(site: Site):
    _install(
        site,
        "tw_learned_thread",
        "import threading\nrunning = threading.Thread(target=threading.Event().wait, daemon=True)\nrunning.start()\n",
    )
    _install(site, "tw_learned", "")
    site.writes("import tw_learned, tw_learned_thread", "'alive': tw_learned_thread.running.is_alive()")
    assert site.tells()["alive"] is True
    assert site.tells_with(["tw_learned"])["alive"] is True


def test_learning_can_be_switched_off(own_host: Callable):
    host = own_host(learn=False)
    for _ in range(2):
        assert host.run("succeeds").outcome().kind is OutcomeKind.SUCCEEDED
    assert not [name for name in os.listdir("/proc") if name.isdecimal() and _is_warm(name, host.process.pid)]


def _is_warm(pid: str, of: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        return f"PPid:\t{of}\n" in status and ", preloaded" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


def test_a_first_attempt_that_goes_on_for_long_teaches_the_others_meanwhile(site: Site):
    _install(site, "tw_learned", "VALUE = 1\n")
    site.writes("import tw_learned", "'value': tw_learned.VALUE")
    with site.dags.joinpath("worker_host.py").open("a") as file:
        file.write("""
    @task
    def goes_on():
        import time
        print("sleeping", os.getpid(), flush=True)
        time.sleep(300)

    goes_on()
""")
    first = site.host.run("goes_on")
    first.says("sleeping")
    assert site.tells_with(["tw_learned"])["started_with"] == ["tw_learned"]
    site.host.stop(first, grace=0.1)
    first.outcome()
