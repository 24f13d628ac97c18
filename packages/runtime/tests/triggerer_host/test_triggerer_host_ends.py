"""How a triggerer process ends, and what it never shows."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from support.inspection import ORDINARY, can_be_read
from support.proc import is_alive
from tradewind_protocol import hosts
from tradewind_protocol.sessions import Policy

from .conftest import FakePlane, StartHost, task

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]


def test_a_trigger_reads_a_variable_through_the_gateway(plane: FakePlane, start_host: StartHost) -> None:
    plane.variables["colour"] = "blue"
    start_host(policy=Policy.OPEN)
    plane.want(1, "ReadsVariable", ti=task("t"))
    assert plane.wait_for(lambda: plane.events().get(1)) == ["blue"]


def test_an_xcom_of_a_task_that_ends_in_its_trigger_passes_under_the_open_policy(
    plane: FakePlane, start_host: StartHost
) -> None:
    start_host(policy=Policy.OPEN)
    plane.want(1, "Ends", ti=task("t"))
    plane.wait_for(lambda: plane.reports)
    assert plane.reports[0].event.xcoms == {"return_value": {"rows": 3}}


def test_no_process_of_the_same_user_reads_the_memory_of_a_triggerer(start_host: StartHost) -> None:
    assert not can_be_read(start_host(through=ORDINARY).process.pid)


def test_a_host_that_is_told_to_stop_leaves_nothing_behind_and_kills_no_job(
    plane: FakePlane, start_host: StartHost, tmp_path: Path
) -> None:
    host = start_host()
    killed, cleaned = tmp_path / "killed", tmp_path / "cleaned"
    plane.want(
        1, "Waits", ti=task("t"), until=str(tmp_path / "never"), killed=str(killed), cleaned=str(cleaned)
    )
    plane.wait_for(lambda: "starting" in host.log_of("t"))
    (runner,) = host.children()
    assert host.stop() == 0
    assert not Path(f"/proc/{runner}").exists()
    assert cleaned.exists()
    assert not killed.exists()
    assert plane.reports == []


def test_a_host_whose_agent_is_gone_goes_too(plane: FakePlane, start_host: StartHost) -> None:
    host = start_host()
    plane.want(1, "Sleeps", ti=task("t"))
    plane.wait_for(lambda: plane.has() == {1})
    (runner,) = host.children()
    host.control.close()
    assert host.process.wait(10) == 0
    assert not Path(f"/proc/{runner}").exists()


def test_the_process_of_the_triggers_goes_when_the_host_is_killed(
    plane: FakePlane, start_host: StartHost
) -> None:
    host = start_host()
    plane.want(1, "Sleeps", ti=task("t"))
    plane.wait_for(lambda: plane.has() == {1})
    (runner,) = host.children()
    os.kill(host.process.pid, signal.SIGKILL)
    plane.wait_for(lambda: not is_alive(runner))


def test_a_host_whose_triggers_take_their_process_along_says_so(
    plane: FakePlane, start_host: StartHost
) -> None:
    host = start_host()
    plane.want(1, "Dies", ti=task("t"))
    problem = host.hear(hosts.Problem)
    assert "ended by itself (7)" in problem.message
    assert host.process.wait(10) == 1


def test_a_host_whose_event_loop_is_blocked_says_that_it_does_not_work_and_then_gives_up(
    plane: FakePlane, start_host: StartHost
) -> None:
    host = start_host(env={"AIRFLOW__TRIGGERER__RUNNER_HEALTH_CHECK_THRESHOLD": "0.8"})
    plane.want(1, "Blocks", ti=task("t"), seconds=60)
    plane.wait_for(lambda: plane.syncs and not plane.syncs[-1].working)
    problem = host.hear(hosts.Problem)
    assert "silent" in problem.message


def test_no_secret_and_no_argument_of_a_trigger_is_in_the_environment_or_the_hosts_output(
    plane: FakePlane, start_host: StartHost, tmp_path: Path
) -> None:
    host = start_host(through=("env",))  # what it was executed with, not forked
    plane.want(
        1, "Waits", ti=task("t"), until=str(tmp_path / "never"), killed="x", password="hunter2-hunter2"
    )
    plane.wait_for(lambda: plane.has() == {1})
    (runner,) = host.children()
    for pid in (host.process.pid, runner):
        seen = Path(f"/proc/{pid}/environ").read_bytes() + Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"tw_local_" not in seen
        assert b"hunter2" not in seen
        assert b"FERNET" not in seen
    assert not (host.logs.parent / "airflow" / "airflow.db").exists()
    host.stop()
    assert "hunter2" not in host.output.read_text()
