"""An agent, or its whole machine, dies: what was not started goes elsewhere, what ran is retried by Airflow's rule."""

from __future__ import annotations

import signal
import time

from faults.fleet import GRANT, Fleet, in_full
from faults.processes import kill_all
from support.journal import at_once, ran_once
from support.network import Proxy
from support.patience import eventually, stretched
from support.proc import is_alive


def offered(fleet: Fleet, run_id: str) -> int:
    return sum(1 for row in fleet.attempts(run_id) if row.state == "offered")


def test_offered_work_of_a_killed_agent_runs_elsewhere_with_no_retry_used(fleet: Fleet, proxy: Proxy) -> None:
    fleet.agent("heir")
    fleet.ask("heir", "cordon")  # so that all of it is offered to the other one
    doomed = fleet.agent("doomed", url=proxy.url)
    proxy.weather.swallow = GRANT  # it hears of offers, and the plane never hears it confirm one
    run_id = fleet.start("work_20", seconds=0.2)
    eventually(
        lambda: offered(fleet, run_id) == 20, timeout=30, what=lambda: f"{offered(fleet, run_id)} offered"
    )
    killed = time.time()
    kill_all(doomed)
    fleet.ask("heir", "resume")
    assert fleet.finished("work_20", run_id).state == "success"
    attempts = fleet.attempts(run_id)
    assert {row.agent for row in attempts} == {"heir"}
    assert max(row.granted_at.timestamp() for row in attempts) - killed < 15
    ran_once(fleet.spans(run_id), 20)
    assert set(fleet.tries(run_id).values()) == {(1, "success")}


def test_running_work_of_a_dead_machine_is_failed_with_a_reason_and_retried(fleet: Fleet) -> None:
    doomed = fleet.agent("doomed")
    run_id = fleet.start("again_4", seconds=25)
    fleet.journal.wait_for_spans(4, timeout=30, run=run_id)
    fleet.agent("heir")
    killed = time.time()
    kill_all(doomed)
    second = fleet.journal.wait_for_spans(4, timeout=30, run=run_id, agent="heir", attempt=2)
    assert max(span.start for span in second) - killed < 20
    assert not at_once(fleet.spans(run_id))
    lost = [row for row in fleet.attempts(run_id) if row.agent == "doomed"]
    assert {row.outcome for row in lost} == {"lost"}
    assert any("'doomed-" in reason and "has sent no poll for" in reason for reason in fleet.reasons(run_id))


@in_full
def test_an_agent_killed_alone_leaves_no_user_code_behind(fleet: Fleet) -> None:
    doomed = fleet.agent("doomed")
    run_id = fleet.start("again_1", seconds=20)
    (first,) = fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    doomed.process.signal(signal.SIGKILL)
    eventually(lambda: not is_alive(first.pid), timeout=10, what="user code has ended")
    fleet.agent("heir")
    (second,) = fleet.journal.wait_for_spans(1, timeout=30, run=run_id, attempt=2)
    assert not at_once(fleet.spans(run_id))


@in_full
def test_a_restarted_agent_does_not_wait_for_its_former_self(fleet: Fleet) -> None:
    doomed = fleet.agent("doomed")
    run_id = fleet.start("again_4", seconds=4)
    fleet.journal.wait_for_spans(4, timeout=30, run=run_id)
    kill_all(doomed)
    again = time.time()
    doomed.process.start()
    second = fleet.journal.wait_for_spans(4, timeout=20, run=run_id, attempt=2)
    assert max(span.start for span in second) - again < 12
    assert fleet.finished("again_4", run_id).state == "success"
    assert any("was started again as process" in reason for reason in fleet.reasons(run_id))


@in_full
def test_at_the_default_cadence_offered_work_runs_elsewhere_within_fifteen_seconds(
    default_cadence: Fleet,
) -> None:
    with Proxy(("127.0.0.1", default_cadence.plane.ports[0])) as proxy:
        test_offered_work_of_a_killed_agent_runs_elsewhere_with_no_retry_used(default_cadence, proxy)


@in_full
def test_triggers_of_a_dead_machine_are_elsewhere_within_one_lost_interval(fleet: Fleet) -> None:
    doomed = fleet.agent("doomed", components=("worker", "triggerer"))
    run_id = fleet.start("waits")
    eventually(
        lambda: bool(fleet.journal.entries("trigger", run=run_id)), timeout=60, what="the trigger runs"
    )
    fleet.agent("heir", components=("worker", "triggerer"))
    killed = time.time()
    kill_all(doomed)
    eventually(
        lambda: bool(fleet.journal.entries("trigger", run=run_id, agent="heir")),
        timeout=30,
        what=lambda: f"the trigger runs elsewhere: {fleet.journal.entries('trigger', run=run_id)}",
    )
    taken = fleet.journal.entries("trigger", run=run_id, agent="heir")[0]["at"]
    assert taken - killed < stretched(fleet.lost_after + 4)
    (fleet.home / "wait_is_over").touch()
    assert fleet.finished("waits", run_id).state == "success"
    assert fleet.tries(run_id) == {("work", -1): (1, "success")}
