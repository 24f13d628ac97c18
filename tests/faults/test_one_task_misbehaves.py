"""One task misbehaves: only that task fails, the cause has a name, its slot is back and no process is left."""

from __future__ import annotations

import time

import pytest

from faults.fleet import Fleet, in_full
from faults.processes import gone
from support import memory
from support.journal import at_once
from support.patience import eventually, stretched
from support.proc import is_alive


def ended(fleet: Fleet, dag_id: str, *, state: str, beside: bool = True, timeout: float = 90) -> str:
    """Run a misbehaving task beside a good one, and see that it ends so and leaves nobody behind; its run's id."""
    good = fleet.start("work_1", seconds=1) if beside else None
    run_id = fleet.start(dag_id)
    assert fleet.finished(dag_id, run_id, timeout=timeout).state == state
    if good is not None:
        assert fleet.finished("work_1", good).state == "success"
    nobody_left(fleet, run_id)
    fleet.slots_are_back("site")
    return run_id


def nobody_left(fleet: Fleet, run_id: str) -> None:
    entries = fleet.journal.entries(run=run_id)
    pids = {entry["pid"] for entry in entries} | {entry["child"] for entry in entries if "child" in entry}
    eventually(
        lambda: not any(is_alive(pid) for pid in pids),
        timeout=15,
        what=lambda: f"left behind: {[pid for pid in pids if is_alive(pid)]}",
    )


def outcome(fleet: Fleet, run_id: str) -> tuple[str, str]:
    """What the plane wrote down of the attempt: outcome and reason."""
    (row,) = fleet.attempts(run_id)
    return row.outcome, row.reason


@pytest.mark.parametrize(
    ("dag_id", "cause"),
    [
        ("killed", "SIGKILL"),
        pytest.param("exits", "exited with code 3", marks=in_full),
        pytest.param("crashes", "SIGSEGV", marks=in_full),
    ],
)
def test_a_task_that_dies_without_a_word_fails_alone_and_the_cause_is_named(
    fleet: Fleet, dag_id: str, cause: str
) -> None:
    fleet.agent("site")
    run_id = ended(fleet, dag_id, state="failed")
    assert cause in outcome(fleet, run_id)[1]


@in_full
def test_a_task_whose_supervisor_dies_fails_alone(fleet: Fleet) -> None:
    fleet.agent("site")
    run_id = ended(fleet, "supervisor_killed", state="failed")
    assert outcome(fleet, run_id)[0] == "failed"
    assert "SIGKILL" in outcome(fleet, run_id)[1]


def test_orphaned_grandchildren_end_with_their_task(fleet: Fleet) -> None:
    fleet.agent("site")
    run_id = ended(fleet, "orphans", state="success")
    assert len(fleet.journal.entries("orphan", run=run_id)) == 2


@in_full
def test_a_task_that_eats_all_memory_fails_alone_and_memory_is_named(fleet: Fleet) -> None:
    with memory.limited(1_200_000_000) as little:
        if little is None:
            pytest.skip("needs root and a writable cgroup file system")
        site = fleet.agent("site", prefix=little)
        run_id = ended(fleet, "eats", state="failed")
        kind, reason = outcome(fleet, run_id)
        assert kind == "failed"
        assert "the container's memory limit was reached" in reason
        again = fleet.start("work_4", seconds=0)
        assert fleet.finished("work_4", again).state == "success"
        gone(site)


def mark(fleet: Fleet, dag_id: str, run_id: str, task_id: str, state: str) -> None:
    """As somebody does on the page of a Dag run."""
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
    fleet.rest.send("PATCH", path, {"new_state": state})


@in_full
def test_a_task_that_ignores_sigterm_is_stopped_all_the_same(fleet: Fleet) -> None:
    fleet.agent("site")
    run_id = fleet.start("deaf")
    fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    mark(fleet, "deaf", run_id, "work", "failed")
    nobody_left(fleet, run_id)
    fleet.slots_are_back("site")
    assert outcome(fleet, run_id) == ("stopped", "stopped by request: its task instance is marked failed")


@pytest.mark.parametrize("state", ["failed", pytest.param("success", marks=in_full)])
def test_a_task_that_is_marked_while_it_runs_is_stopped_by_request(fleet: Fleet, state: str) -> None:
    fleet.agent("site")
    run_id = fleet.start("chain", seconds=60)
    (span,) = fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    mark(fleet, "chain", run_id, "link_0", state)
    asked = time.time()
    # Airflow's supervisor asks every five seconds whether its task is still wanted.
    eventually(lambda: not is_alive(span.pid), timeout=12, what="user code has ended")
    assert fleet.spans(run_id)[0].last - asked < stretched(7)
    first = fleet.attempts(run_id)[0]
    eventually(lambda: fleet.attempts(run_id)[0].outcome == "stopped", timeout=10, what=lambda: str(first))
    assert fleet.attempts(run_id)[0].reason == f"stopped by request: its task instance is marked {state}"


@in_full
def test_a_task_that_is_cleared_while_it_runs_is_stopped_and_runs_again(fleet: Fleet) -> None:
    fleet.agent("site")
    run_id = fleet.start("work_1", seconds=8)
    (first,) = fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    body = {"dry_run": False, "task_ids": ["work"], "dag_run_id": run_id, "only_failed": False}
    fleet.rest.send("POST", "/dags/work_1/clearTaskInstances", body)
    second = fleet.journal.wait_for_spans(2, timeout=60, run=run_id)[1]
    assert not is_alive(first.pid)
    assert not at_once(fleet.spans(run_id))
    assert second.attempt == 2
    assert fleet.finished("work_1", run_id).state == "success"
    assert [row.outcome for row in fleet.attempts(run_id)] == ["stopped", "succeeded"]


@in_full
@pytest.mark.parametrize("dag_id", ["holds_the_pipes", "floods", "hangs_at_exit"])
def test_output_that_floods_or_never_ends_costs_no_slot(fleet: Fleet, dag_id: str) -> None:
    # Airflow's own patience with a task that has ended and does not go, by default 20 s and 60 s.
    patience = {"AIRFLOW__CORE__TASK_SUCCESS_OVERTIME": "3", "AIRFLOW__WORKERS__SOCKET_CLEANUP_TIMEOUT": "3"}
    fleet.agent("site", env=patience)
    ended(fleet, dag_id, state="success", timeout=180)


@in_full
@pytest.mark.parametrize("dag_id", ["closes", "exits_silently"])
def test_a_task_that_cannot_say_how_it_ended_leaves_nothing_behind(fleet: Fleet, dag_id: str) -> None:
    fleet.agent("site")
    run_id = fleet.start(dag_id)
    run = fleet.finished(dag_id, run_id, timeout=90)
    assert run.state in ("success", "failed")
    nobody_left(fleet, run_id)
    fleet.slots_are_back("site")
