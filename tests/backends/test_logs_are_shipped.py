"""A shipper beside an agent sends each line of each task log once, with Dag, run, task, try and agent, over restarts of either side."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import shippers
from support.log_platform import LogPlatform
from support.patience import eventually
from support.shippers import FIRST, LONG, MAPPED, TaskLogs
from tradewind.embedded.processes import LocalProcess

pytestmark = pytest.mark.skipif(bool(shippers.missing()), reason=shippers.missing() or "it is there")


@pytest.fixture
def platform() -> Iterator[LogPlatform]:
    with LogPlatform() as made:
        yield made


class Site(TaskLogs):
    """Task logs, and the shipper of them."""

    def __init__(self, home: Path, platform: LogPlatform) -> None:
        super().__init__(home)
        self.platform = platform
        self.shipper: LocalProcess = shippers.rsyslog(
            home / "rsyslog", logs=self.logs, port=platform.port, agent="agent-1"
        )

    def wait_for(self, *events: str) -> list[dict[str, Any]]:
        """The documents, once those events have arrived, whatever else has."""

        def arrived() -> list[dict[str, Any]]:
            return list(self.platform.documents.values())

        eventually(
            lambda: {*events} <= {each["event"] for each in arrived()},
            timeout=60,
            what=lambda: (
                f"of {events} only {[each['event'][:80] for each in arrived()]}: {self.shipper.tail()}"
            ),
        )
        return arrived()


@pytest.fixture
def site(tmp_path: Path, platform: LogPlatform) -> Iterator[Site]:
    made = Site(tmp_path, platform)
    made.shipper.start()
    yield made
    made.shipper.stop(grace=10)


def test_each_line_says_which_try_of_which_task_on_which_agent_wrote_it(site: Site) -> None:
    line = {"timestamp": "2026-03-02T00:00:01Z", "level": "info", "event": "of the task", "rows": 7}
    site.write(FIRST, line, "no JSON", {"event": LONG})
    site.write(f"{FIRST}.trigger.5.log", {"event": "of the trigger"})
    site.write(MAPPED, {"event": "of a mapped task", "dag_id": "what user code claims"})
    found = {
        each["event"]: each
        for each in site.wait_for("of the task", "no JSON", LONG, "of the trigger", "of a mapped task")
    }
    place = {"agent": "agent-1", "dag_id": "orders", "run_id": "manual__2026-03-02T00:00:00+00:00"}
    first = {**place, "task_id": "load", "map_index": "-1", "try_number": "1"}
    assert found["of the task"] == {**line, **first}
    assert found["no JSON"] == {"event": "no JSON", **first}
    assert found["of the trigger"] == {"event": "of the trigger", **first}
    mapped = {**place, "task_id": "group.each", "map_index": "3", "try_number": "2"}
    assert found["of a mapped task"] == {"event": "of a mapped task", **mapped}
    assert len(found) == 5


def test_a_restart_loses_no_line_and_repeats_none(site: Site) -> None:
    site.write(FIRST, {"event": "before"})
    site.wait_for("before")
    site.shipper.stop(grace=10)
    site.write(FIRST, {"event": "meanwhile"})
    site.write(MAPPED, {"event": "a new file meanwhile"})
    site.shipper.start()
    site.write(FIRST, {"event": "after"})
    found = site.wait_for("meanwhile", "a new file meanwhile", "after")
    assert len(found) == site.platform.received == 4


def test_a_shipper_that_is_killed_stores_each_line_once(site: Site) -> None:
    """Past the first 512 bytes of a file: rsyslog writes down that it has read these before it has queued them."""
    site.write(FIRST, {"event": "first" + "x" * 600})
    site.wait_for("first" + "x" * 600)
    site.write(FIRST, *({"event": f"line {number}"} for number in range(200)))
    site.wait_for("line 0")
    site.shipper.signal(signal.SIGKILL)
    site.shipper.wait(10)
    site.write(FIRST, {"event": "after"})
    site.shipper.start()
    found = site.wait_for("after", *(f"line {number}" for number in range(200)))
    assert len(found) == 202


def test_lines_wait_while_the_platform_is_away(site: Site) -> None:
    site.platform.leave()
    site.write(FIRST, {"event": "while it is away"})
    site.write(MAPPED, {"event": "while it is away, too"})
    states = site.logs.parent / "rsyslog" / "work"
    eventually(lambda: len(list(states.glob("imfile-state*"))) == 2, timeout=30, what="the lines were read")
    shutil.rmtree(site.logs / "dag_id=orders")  # the agent's retention does not wait for the platform
    site.platform.return_()
    assert len(site.wait_for("while it is away", "while it is away, too")) == 2
