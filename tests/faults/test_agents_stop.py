"""Agents are asked to stop: gently, at once, one after the other under load."""

from __future__ import annotations

import signal
import time

from faults.fleet import Fleet, in_full
from support.journal import at_once, ran_once
from support.patience import eventually, stretched


def test_sigterm_finishes_what_runs_hands_back_the_rest_and_exits_0(fleet: Fleet) -> None:
    leaving = fleet.agent("leaving", slots=2)
    run_id = fleet.start("work_4", seconds=4)
    fleet.journal.wait_for_spans(2, timeout=30, run=run_id)
    leaving.process.signal(signal.SIGTERM)
    assert leaving.process.wait(stretched(30)) == 0
    spans = fleet.spans(run_id)
    assert len(spans) == 2
    assert all(span.end is not None for span in spans)
    assert [row.ended_how for row in fleet.sessions("leaving")] == ["goodbye"]
    fleet.agent("heir")
    assert fleet.finished("work_4", run_id).state == "success"
    ran_once(fleet.spans(run_id), 4)
    assert {tries for tries, _ in fleet.tries(run_id).values()} == {1}


@in_full
def test_a_second_signal_stops_the_tasks_reports_them_and_exits(fleet: Fleet) -> None:
    leaving = fleet.agent("leaving")
    run_id = fleet.start("again_1", seconds=20)
    (first,) = fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    leaving.process.signal(signal.SIGTERM)
    time.sleep(1)
    asked = time.monotonic()
    leaving.process.signal(signal.SIGTERM)
    leaving.process.wait(stretched(20))
    assert time.monotonic() - asked < 15
    fleet.agent("heir")
    (second,) = fleet.journal.wait_for_spans(1, timeout=30, run=run_id, attempt=2)
    assert not at_once(fleet.spans(run_id))
    assert any("the agent was stopped" in reason for reason in fleet.reasons(run_id))
    assert fleet.attempts(run_id)[0].outcome == "stopped"


@in_full
def test_a_rolling_replacement_of_all_agents_under_load_loses_and_repeats_nothing(fleet: Fleet) -> None:
    old = [fleet.agent(f"old-{letter}", slots=8) for letter in "ab"]
    run_id = fleet.start("work_200", seconds=1)
    fleet.journal.wait_for_spans(10, timeout=60, run=run_id)
    for number, leaving in enumerate(old):
        fleet.agent(f"new-{number}", slots=8)
        leaving.process.signal(signal.SIGTERM)
        assert leaving.process.wait(stretched(60)) == 0
    assert fleet.finished("work_200", run_id, timeout=200).state == "success"
    ran_once(fleet.spans(run_id), 200)
    assert {tries for tries, _ in fleet.tries(run_id).values()} == {1}
    eventually(lambda: not fleet.live(), timeout=15, what="nothing is live any more")
