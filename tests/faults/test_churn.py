"""Many short tasks, some of them nasty: slots equal live attempts at the end."""

from __future__ import annotations

import pytest

from faults.fleet import Fleet, in_full
from faults.processes import family
from support.journal import ran_once
from support.patience import eventually


@pytest.mark.timeout(400)
def test_two_hundred_short_tasks_leave_no_slot_and_no_process_behind(fleet: Fleet) -> None:
    churning(fleet, runs=1)


@in_full
@pytest.mark.timeout(1800)
def test_two_thousand_short_tasks_leave_no_slot_and_no_process_behind(fleet: Fleet) -> None:
    churning(fleet, runs=10)


def churning(fleet: Fleet, *, runs: int) -> None:
    site = fleet.agent("site", slots=16)
    fleet.finished("work_1", fleet.start("work_1", seconds=0))  # hosts have all they keep while idle
    fleet.slots_are_back("site", 16)
    idle = len(family(site.process.pid))
    ids = [fleet.start("work_200", seconds=0) for _ in range(runs)]
    nasty = [fleet.start(dag_id) for dag_id in ("orphans", "killed", "exits", "supervisor_killed")]
    for run_id in ids:
        assert fleet.finished("work_200", run_id, timeout=300).state == "success"
        ran_once(fleet.spans(run_id), 200)
    eventually(lambda: not fleet.live(), timeout=60, what=lambda: f"nothing is live, not {fleet.live()}")
    fleet.slots_are_back("site", 16)
    eventually(
        lambda: len(family(site.process.pid)) <= idle,
        timeout=20,
        what=lambda: f"{idle} processes as before, not {family(site.process.pid)}",
    )
    assert len(nasty) == 4
