"""The OpenTelemetry Collector beside an agent, with the configuration that owners get: each line of each task log by OTLP, with its place."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import shippers
from support.otlp_logs import OtlpLogs
from support.patience import eventually
from support.shippers import FIRST, LONG, MAPPED, TaskLogs
from tradewind.embedded.processes import LocalProcess

pytestmark = pytest.mark.skipif(
    not shippers.COLLECTOR.exists(),
    reason="no OpenTelemetry Collector on this machine: `make otelcol` builds it",
)


class Site(TaskLogs):
    """Task logs, and the shipper of them."""

    def __init__(self, home: Path, platform: OtlpLogs) -> None:
        super().__init__(home)
        self.platform = platform
        self.shipper: LocalProcess = shippers.collector(
            home / "otelcol", logs=self.logs, url=platform.url, agent="agent-1"
        )

    def wait_for(self, *events: str) -> dict[str, dict[str, Any]]:
        """The lines by their event, once those have arrived."""

        def arrived() -> dict[str, dict[str, Any]]:
            return {each["event"]: each for each in self.platform.lines().values()}

        eventually(
            lambda: {*events} <= arrived().keys(),
            timeout=60,
            what=lambda: f"of {events} only {[each[:80] for each in arrived()]}: {self.shipper.tail()}",
        )
        return arrived()


@pytest.fixture
def platform() -> Iterator[OtlpLogs]:
    with OtlpLogs() as made:
        yield made


@pytest.fixture
def site(tmp_path: Path, platform: OtlpLogs) -> Iterator[Site]:
    made = Site(tmp_path, platform)
    made.shipper.start()
    yield made
    made.shipper.stop(grace=10)


def test_each_line_says_which_try_of_which_task_on_which_agent_wrote_it(site: Site) -> None:
    line = {"timestamp": "2026-03-02T00:00:01.5Z", "level": "info", "event": "of the task", "rows": 7}
    site.write(FIRST, line, "no JSON", "{broken", {"event": LONG})
    site.write(f"{FIRST}.trigger.5.log", {"event": "of the trigger"})
    claimed = {"dag_id": "another", "agent": "another", "try_number": 9}
    site.write(MAPPED, {"event": "of a mapped task", **claimed})
    found = site.wait_for("of the task", "no JSON", "{broken", LONG, "of the trigger", "of a mapped task")
    place = {"agent": "agent-1", "dag_id": "orders", "run_id": "manual__2026-03-02T00:00:00+00:00"}
    first = {**place, "task_id": "load", "map_index": "-1", "try_number": "1"}
    for event in ("of the task", "no JSON", "{broken", LONG, "of the trigger"):
        assert first.items() <= found[event].items()
    assert {**line, **first}.items() <= found["of the task"].items()
    assert found["of the task"]["record"] == {"time": 1772409601_500000000, "severity": "info"}
    mapped = {**place, "task_id": "group.each", "map_index": "3", "try_number": "2"}
    assert mapped.items() <= found["of a mapped task"].items(), "the path wins"
    assert len(found) == 6


def test_a_restart_loses_no_line_and_repeats_none(site: Site) -> None:
    site.write(FIRST, {"event": "before"})
    site.wait_for("before")
    site.shipper.stop(grace=10)
    site.write(FIRST, {"event": "meanwhile"})
    site.write(MAPPED, {"event": "a new file meanwhile"})
    site.shipper.start()
    site.write(FIRST, {"event": "after"})
    found = site.wait_for("meanwhile", "a new file meanwhile", "after")
    assert len(found) == len(site.platform.records) == 4


def test_no_line_is_lost_when_it_is_killed(site: Site) -> None:
    site.write(FIRST, *({"event": f"line {number}"} for number in range(200)))
    site.wait_for("line 0")
    site.shipper.signal(signal.SIGKILL)
    site.shipper.wait(10)
    site.write(FIRST, {"event": "after"})
    site.shipper.start()
    found = site.wait_for("after", *(f"line {number}" for number in range(200)))
    assert len(found) == len(site.platform.lines()) == 201, "what was sent twice has the same path and offset"


def test_lines_wait_while_the_platform_is_away_and_over_a_restart(site: Site) -> None:
    site.platform.away = True
    site.write(FIRST, {"event": "while it is away"})
    site.write(MAPPED, {"event": "while it is away, too"})
    queue = site.logs.parent / "otelcol" / "state"

    def read() -> bytes:
        return b"".join(each.read_bytes() for each in queue.iterdir() if "exporter" in each.name)

    eventually(
        lambda: b"away, too" in read() and b'it is away"' in read(), timeout=60, what="they are in the queue"
    )
    site.shipper.stop(grace=10)
    shutil.rmtree(site.logs / "dag_id=orders")  # the agent's retention does not wait for the platform
    site.shipper.start()
    site.platform.away = False
    assert len(site.wait_for("while it is away", "while it is away, too")) == 2
