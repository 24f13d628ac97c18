"""Parts of the plane die and come back while tasks run: no task restarts, none is lost, nobody is given up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from faults.conftest import SCALED
from faults.fleet import Fleet, home_agent, in_full, run_plane
from faults.processes import kill, restart
from support import postgresql
from support.journal import ran_once
from support.network import Proxy
from support.patience import eventually


def nobody_noticed(fleet: Fleet, run_id: str, count: int) -> None:
    """Every task ran once, with its first try, for the one session the agent ever had."""
    ran_once(fleet.spans(run_id), count)
    assert {tries for tries, _ in fleet.tries(run_id).values()} == {1}
    (session,) = fleet.sessions("remote")
    assert session.ended_at is None


def test_the_api_server_is_killed_and_comes_back(fleet: Fleet) -> None:
    fleet.agent("remote")
    run_id = fleet.start("work_4", seconds=4)
    fleet.journal.wait_for_spans(4, timeout=30, run=run_id)
    kill(fleet.plane.api_servers[0])
    fleet.journal.wait_for_spans(4, timeout=30, ended=True, run=run_id)  # while nobody answers
    fleet.plane.api_servers[0].start()
    fleet.plane.wait_ready()
    assert fleet.finished("work_4", run_id).state == "success"
    nobody_noticed(fleet, run_id, 4)
    fleet.slots_are_back("remote", timeout=30)


def test_the_scheduler_is_killed_and_comes_back(fleet: Fleet) -> None:
    fleet.agent("remote")
    run_id = fleet.start("work_20", seconds=4)
    fleet.journal.wait_for_spans(4, timeout=30, run=run_id)
    restart(fleet.plane.schedulers[0])
    assert fleet.finished("work_20", run_id).state == "success"
    nobody_noticed(fleet, run_id, 20)
    next_one = fleet.start("work_1", seconds=0)
    assert fleet.finished("work_1", next_one).state == "success"


def test_postgresql_restarts(fleet: Fleet) -> None:
    fleet.agent("remote")
    run_id = fleet.start("chain", seconds=2)
    fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    fleet.server.stop()
    time.sleep(3)
    fleet.server.start()
    assert fleet.finished_with_restarts("chain", run_id).state == "success"
    nobody_noticed(fleet, run_id, 8)


@in_full
def test_the_plane_is_away_for_longer_than_the_lost_interval(fleet: Fleet) -> None:
    """A plane that was down does not give its agents up for its own absence."""
    fleet.agent("remote")
    run_id = fleet.start("work_4", seconds=25)
    fleet.journal.wait_for_spans(4, timeout=30, run=run_id)
    for process in fleet.plane.all_processes:
        kill(process)
    time.sleep(15)
    for process in fleet.plane.all_processes:
        process.start()
    fleet.plane.wait_ready()
    assert fleet.finished("work_4", run_id).state == "success"
    nobody_noticed(fleet, run_id, 4)


MOMENTS = {
    "tradewind_session": ("opened_at", "last_beat_at", "token_expires_at", "previous_expires_at"),
    "task_instance": ("last_heartbeat_at",),
    "job": ("latest_heartbeat",),
}


def an_hour_passes(fleet: Fleet) -> None:
    """For what the metadata database remembers, the outage has taken an hour longer."""
    for table, columns in MOMENTS.items():
        moved = ", ".join(f"{column} = {column} - interval '1 hour'" for column in columns)
        fleet.execute(f"UPDATE {table} SET {moved}")


@in_full
@pytest.mark.timeout(600)  # on a busy machine every process of the plane takes minutes to start
def test_an_hour_without_the_plane_costs_running_tasks_nothing(fleet: Fleet) -> None:
    """When it is back, session tokens have run out, and no task has been heard of for longer than Airflow waits. At least one
    task ends while the plane is away."""
    fleet.agent("remote")
    early = fleet.start("work_1", seconds=8)
    late = fleet.start("work_4", seconds=30)
    fleet.journal.wait_for_spans(1, timeout=30, run=early)
    fleet.journal.wait_for_spans(4, timeout=30, run=late)
    for process in fleet.plane.all_processes:
        kill(process)
    fleet.journal.wait_for_spans(1, timeout=30, ended=True, run=early)
    an_hour_passes(fleet)
    for process in fleet.plane.all_processes:
        process.start()
    fleet.plane.wait_ready()
    for dag_id, run_id, count in (("work_1", early, 1), ("work_4", late, 4)):
        assert fleet.finished(dag_id, run_id).state == "success"
        nobody_noticed(fleet, run_id, count)


@pytest.fixture
def double(directory: Path, server: postgresql.PostgreSQL) -> Iterator[Fleet]:
    """A plane with two of each."""
    options = {**SCALED, "sweep_seconds": "1"}
    with (
        run_plane(directory / "double", server, options, api_servers=2, schedulers=2) as fleet,
        home_agent(fleet),
    ):
        with fleet.of_one_test() as of_one:
            yield of_one


@in_full
@pytest.mark.timeout(600)
def test_a_rolling_restart_of_everything_under_load_loses_and_repeats_nothing(double: Fleet) -> None:
    fleet = double
    with Proxy(*(("127.0.0.1", port) for port in fleet.plane.ports)) as balancer:
        fleet.agent("remote", url=balancer.url)
        fleet.agent("other", url=balancer.url)
        _restart_everything_under_load(fleet)


def _restart_everything_under_load(fleet: Fleet) -> None:
    run_id = fleet.start("work_200", seconds=1)
    fleet.journal.wait_for_spans(10, timeout=60, run=run_id)
    for process in (*fleet.plane.schedulers, *fleet.plane.api_servers[::-1]):
        restart(process)
        fleet.plane.wait_ready()
        time.sleep(3)
    eventually(
        lambda: len(fleet.journal.spans(run=run_id)) >= 200,
        timeout=300,
        what=lambda: f"{len(fleet.journal.spans(run=run_id))} of 200 ran",
    )
    assert fleet.finished("work_200", run_id, timeout=120).state == "success"
    ran_once(fleet.spans(run_id), 200)
    assert {tries for tries, _ in fleet.tries(run_id).values()} == {1}
    assert not fleet.live()
