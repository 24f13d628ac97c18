"""Every way an attempt can end. What counts each time: the words, and that nobody of it is left when they are said."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from tradewind_protocol import hosts
from tradewind_protocol.states import OutcomeKind

pytestmark = pytest.mark.process


@pytest.fixture(scope="module", params=["all", "none"])
def accelerators(request):
    return request.param


def under(root: int) -> list[int]:
    """Every process below `root`."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == root:
            found += [int(stat.parent.name), *under(int(stat.parent.name))]
    return found


def gone(*pids: int) -> None:
    """Wait until no process has one of these pids, as a zombie neither."""
    deadline = time.monotonic() + 5
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_a_stop_ends_the_task_at_once_and_says_why(host, gateway, is_alive):
    attempt = host.run("sleeps")
    task = attempt.says("sleeping")
    everyone = [attempt.manager, *under(attempt.manager)]
    assert {task, attempt.supervisor} < set(everyone)
    host.stop(attempt, grace=0.1, reason="the Dag run was deleted")
    outcome = attempt.outcome()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.STOPPED, "the Dag run was deleted")
    assert [pid for pid in everyone if is_alive(pid)] == []


def test_an_operator_cleans_up_when_it_is_stopped(host, gateway):
    attempt = host.run("cleans_up")
    attempt.says("sleeping")
    host.stop(attempt, grace=60)
    assert attempt.outcome().kind is OutcomeKind.STOPPED
    assert "on_kill called" in attempt.log()
    assert gateway.states_of(attempt) == ["failed"]


def test_a_task_that_ignores_sigterm_is_killed_after_the_grace(host, gateway, is_alive):
    attempt = host.run("ignores_sigterm")
    task = attempt.says("sleeping")
    host.stop(attempt, grace=0.3)
    outcome = attempt.outcome()
    assert (outcome.kind, outcome.signal) == (OutcomeKind.STOPPED, "SIGKILL")
    assert not is_alive(task)
    assert gateway.states_of(attempt) == ["failed"]  # its supervisor still had the time to say so


def test_a_task_with_nothing_to_clean_up_does_not_outlast_its_sigterm(host, gateway):
    attempt = host.run("sleeps")
    attempt.says("sleeping")
    asked = time.monotonic()
    host.stop(attempt, grace=60)
    assert attempt.outcome().signal == "SIGTERM"
    assert time.monotonic() - asked < 30  # and not by the grace
    assert gateway.states_of(attempt) == ["failed"]


@pytest.mark.parametrize(
    ("task_id", "said", "number"),
    [("sleeps", "marked failed", "SIGTERM"), ("ignores_sigterm", "marked failed", "SIGKILL")],
)
def test_a_task_the_plane_wants_no_more_is_stopped_by_request(own_host, gateway, task_id, said, number):
    host = own_host(environ={"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1"})
    attempt = host.run(task_id)
    attempt.says("sleeping")
    gateway.refuse["/heartbeat"] = 409
    outcome = attempt.outcome()
    assert (outcome.kind, outcome.signal) == (OutcomeKind.STOPPED, number)
    assert outcome.reason.startswith("stopped by request") and said in outcome.reason
    assert gateway.states_of(attempt) == []
    assert "memory" not in outcome.reason


def test_stopping_twice_or_stopping_nobody_changes_nothing(host, gateway):
    attempt = host.run("ignores_sigterm")
    attempt.says("sleeping")
    host.stop(attempt, grace=0.2, reason="first")
    host.stop(attempt, grace=60, reason="second")
    assert attempt.outcome().reason == "first"
    host.stop(attempt)
    assert host.run("succeeds").outcome().kind is OutcomeKind.SUCCEEDED


def test_the_same_attempt_told_twice_runs_once(host, gateway):
    attempt = host.run("sleeps")
    attempt.says("sleeping")
    host.say(
        hosts.RunAttempt(
            attempt_id=attempt.attempt_id, epoch=3, kind="task", secret=attempt.secret, workload={}
        )
    )
    host.stop(attempt, grace=0.1)
    attempt.outcome()
    started = [m for m in host.received if isinstance(m, hosts.AttemptStarted)]
    assert len([m for m in started if m.attempt_id == attempt.attempt_id]) == 1


def test_a_killed_task_is_told_by_its_signal(host, gateway, is_alive):
    attempt = host.run("sleeps")
    os.kill(attempt.says("sleeping"), signal.SIGKILL)
    outcome = attempt.outcome()
    assert (outcome.kind, outcome.signal) == (OutcomeKind.FAILED, "SIGKILL")
    assert "the task's process was killed by SIGKILL" in outcome.reason
    assert gateway.states_of(attempt) == ["failed"]


def test_a_crash_in_native_code_ends_the_task_and_is_told_in_words(host, gateway):
    outcome = host.run("crashes").outcome()
    assert (outcome.kind, outcome.signal) == (OutcomeKind.FAILED, "SIGSEGV")
    assert "segmentation fault" in outcome.reason


@pytest.mark.parametrize("killed", ["manager", "supervisor"])
def test_a_killed_supervisor_takes_its_attempt_along_and_no_other(host, gateway, is_alive, killed):
    attempt = host.run("orphans_then_sleeps")
    child, task = attempt.says("child"), attempt.says("sleeping")
    neighbour = host.run("sleeps")
    neighbour.says("sleeping")
    everyone = [child, task, attempt.manager, attempt.supervisor]
    os.kill(getattr(attempt, killed), signal.SIGKILL)
    outcome = attempt.outcome()
    assert (outcome.kind, outcome.signal) == (OutcomeKind.FAILED, "SIGKILL")
    assert "the attempt's supervisor was killed by SIGKILL" in outcome.reason
    assert [pid for pid in everyone if is_alive(pid)] == []
    assert is_alive(neighbour.supervisor)
    host.stop(neighbour, grace=0.1)
    neighbour.outcome()


@pytest.mark.parametrize("killed", ["manager", "supervisor"])
def test_a_supervisor_killed_while_it_had_no_work_costs_no_attempt(host, gateway, killed):
    before = host.run("succeeds")
    before.outcome()
    pids = [before.manager, before.supervisor]
    os.kill(host.process.pid, signal.SIGSTOP)  # so that work comes before it has seen that
    os.kill(getattr(before, killed), signal.SIGKILL)
    while Path(f"/proc/{before.manager}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX":
        time.sleep(0.01)  # the kernel is at it
    after = host.run("succeeds")
    os.kill(host.process.pid, signal.SIGCONT)
    assert after.outcome().kind is OutcomeKind.SUCCEEDED
    assert after.manager != before.manager
    gone(*pids)


def test_a_supervisor_that_was_stopped_serves_nobody_else(host, gateway, is_alive):
    attempt = host.run("cleans_up")
    attempt.says("sleeping")
    pids = [attempt.manager, attempt.supervisor]
    host.stop(attempt, grace=60)
    attempt.outcome()
    assert [pid for pid in pids if is_alive(pid)] == []


def test_a_daemon_the_task_left_behind_is_gone_when_the_attempt_ends(host, gateway, is_alive):
    attempt = host.run("leaves_orphans")
    outcome = attempt.outcome()
    assert outcome.kind is OutcomeKind.SUCCEEDED
    assert not is_alive(attempt.says("orphan"))


def test_orphans_are_collected_while_the_task_still_runs(host, gateway):
    attempt = host.run("spawns_many_short_orphans")
    attempt.says("sleeping")
    deadline = time.monotonic() + 5
    while len(under(attempt.manager)) > 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(under(attempt.manager)) == 2, "the supervisor and the task"
    host.stop(attempt, grace=0.1)
    attempt.outcome()


def test_slots_are_the_processes_that_live(own_host):
    host = own_host(learn=False)  # a process that holds libraries would be under it too
    attempt = host.run("sleeps")
    attempt.says("sleeping")
    assert len(under(host.process.pid)) == 3, "a process manager, its supervisor and the task"
    host.stop(attempt, grace=0.1)
    attempt.outcome()
    assert under(host.process.pid) == []


def test_an_agent_that_is_gone_leaves_nobody_behind(own_host, is_alive):
    host = own_host()
    attempt, stubborn = host.run("orphans_then_sleeps"), host.run("ignores_sigterm")
    pids = [attempt.says("child"), attempt.says("sleeping"), stubborn.says("sleeping")]
    pids += [attempt.manager, attempt.supervisor, stubborn.manager, stubborn.supervisor]
    host.close()
    assert host.process.returncode == 0
    assert [pid for pid in pids if is_alive(pid)] == []


def test_a_host_that_is_killed_leaves_nobody_behind(own_host, is_alive):
    host = own_host()
    attempt = host.run("orphans_then_sleeps")
    pids = [attempt.says("child"), attempt.says("sleeping"), attempt.manager, attempt.supervisor]
    os.kill(host.process.pid, signal.SIGKILL)
    host.process.wait()
    deadline = time.monotonic() + 5
    while any(is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in pids if is_alive(pid)] == []


def test_a_host_asked_to_stop_waits_for_what_runs(own_host):
    host = own_host()
    attempt = host.run("succeeds")
    host.say(hosts.StopHost())
    assert attempt.outcome().kind is OutcomeKind.SUCCEEDED
    assert host.process.wait(10) == 0


def test_a_host_asked_to_stop_now_stops_what_runs(own_host):
    host = own_host()
    attempt = host.run("cleans_up")
    attempt.says("sleeping")
    host.say(hosts.StopHost(now=True))
    assert attempt.outcome().kind is OutcomeKind.STOPPED
    assert host.process.wait(10) == 0
