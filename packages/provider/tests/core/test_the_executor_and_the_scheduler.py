"""The executor driven by Airflow's real scheduler code, on its real tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from airflow import settings as airflow_settings
from airflow.models.callback import CallbackKey
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagcode import DagCode
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.utils.retries import MAX_DB_RETRIES
from airflow.utils.session import create_session as scheduler_session
from airflow.utils.state import CallbackState
from sqlalchemy import delete, event, update
from sqlalchemy.exc import OperationalError

from tradewind_protocol.attempts import WorkKind
from tradewind_provider import settings as provider_settings
from tradewind_provider.airflow.database import create_session
from tradewind_provider.settings import Settings
from tradewind_provider.store.tables import Attempt

from .scenes import Clock, Plane, queued, row, running
from .scheduler_scenes import Run, Scheduler, ended, granted, wall


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    monkeypatch.setattr(provider_settings, "current", lambda: Settings())
    return Scheduler()


@pytest.fixture
def make_run() -> Iterator[Any]:
    made: list[Run] = []

    def make(**how: Any) -> Run:
        made.append(Run(**how))
        return made[-1]

    yield make
    with create_session() as db:
        for one in made:  # other tests share the database
            for table in (TaskInstance, DagRun, SerializedDagModel, DagCode, DagVersion, DagModel):
                db.execute(delete(table).where(table.dag_id == one.dag_id))


def test_what_the_scheduler_queues_is_in_the_table_in_the_same_transaction(
    scheduler: Scheduler, make_run: Any
) -> None:
    run = make_run()
    with pytest.raises(RuntimeError), scheduler_session() as db:
        scheduler.runner._critical_section_enqueue_task_instances(session=db)
        db.flush()
        raise RuntimeError("the scheduler died before its commit")
    assert run.attempts == []
    assert run.ti.state == "scheduled"

    scheduler.queue()
    (attempt,) = run.attempts
    assert run.ti.state == "queued"
    assert (attempt.state, attempt.queue, attempt.subject_id) == ("queued", "default", run.ti.id)
    assert attempt.scheduler_job_id == scheduler.job.id
    assert attempt.label == f"{run.dag_id}.t [r1, try 1]"


async def test_the_workload_travels_without_a_token(
    scheduler: Scheduler, make_run: Any, settings: Settings, clock: Clock, secret: str
) -> None:
    run = make_run()
    scheduler.queue()
    async with running(settings, clock, secret) as plane:
        agent = await plane.agent().opens(bundles=["dags-folder"])
        (offer,) = await agent.offers()
    assert offer["kind"] == "task"
    assert offer["workload"]["token"] == ""
    assert offer["workload"]["type"] == "ExecuteTask"
    assert offer["workload"]["ti"]["id"] == str(run.ti.id)
    assert offer["workload"]["bundle_info"]["name"] == "dags-folder"


def test_lost_work_is_failed_at_once_with_the_reason_in_the_event_log(
    scheduler: Scheduler, make_run: Any
) -> None:
    run = make_run(retries=1)
    scheduler.queue()
    ended(granted(run), "lost", "agent 'eu-1' has sent no poll for 80 s")

    scheduler.heartbeat()

    assert run.ti.state == "up_for_retry"
    assert any("agent 'eu-1' has sent no poll for 80 s" in event for event in run.events())
    assert scheduler.executor.running == set()
    scheduler.heartbeat()
    (attempt,) = run.attempts
    assert attempt.reported_at is not None


def test_an_event_the_scheduler_dropped_is_told_again(scheduler: Scheduler, make_run: Any) -> None:
    run = make_run()
    scheduler.queue()
    ended(granted(run), "failed", "out of memory")
    scheduler.executor.sync()
    scheduler.executor.get_event_buffer()  # popped, and its row was locked by somebody
    assert run.ti.state == "running"
    scheduler.heartbeat()
    assert run.ti.state == "failed"


def test_a_success_is_told_once_and_frees_the_slot(scheduler: Scheduler, make_run: Any) -> None:
    run = make_run()
    before = scheduler.executor.slots_available
    scheduler.queue()
    assert scheduler.executor.slots_available == before - 1
    attempt = granted(run)
    run.set(state="success")
    ended(attempt, "succeeded")
    scheduler.heartbeat()
    assert run.ti.state == "success"
    assert scheduler.executor.slots_available == before
    scheduler.executor.sync()
    assert scheduler.executor.event_buffer == {}


@contextmanager
def refusing(beginning: str, *, times: int) -> Iterator[list[str]]:
    """The database refuses statements that begin so, as one does whose lock another writer holds. Yields those refused."""
    refused: list[str] = []

    def refuse(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        if statement.startswith(beginning) and len(refused) < times:
            refused.append(statement)
            raise OperationalError(statement, parameters, Exception("database is locked"))

    engine = airflow_settings.engine
    event.listen(engine, "before_cursor_execute", refuse)
    try:
        yield refused
    finally:
        event.remove(engine, "before_cursor_execute", refuse)


def test_a_database_that_is_locked_for_a_moment_does_not_end_the_scheduler(
    scheduler: Scheduler, make_run: Any
) -> None:
    run = make_run()
    scheduler.queue()
    ended(granted(run), "succeeded")
    run.set(state="success")
    with refusing("UPDATE tradewind_attempt SET reported_at", times=1) as refused:
        scheduler.executor.sync()
    assert len(refused) == 1
    assert [one.reported_at is not None for one in run.attempts] == [True]
    assert list(scheduler.executor.event_buffer) == [run.ti.key]


def test_what_could_not_be_marked_is_told_at_the_next_heartbeat_and_once(
    scheduler: Scheduler, make_run: Any
) -> None:
    run = make_run()
    scheduler.queue()
    ended(granted(run), "succeeded")
    run.set(state="success")
    with (
        refusing("UPDATE tradewind_attempt SET reported_at", times=MAX_DB_RETRIES),
        pytest.raises(OperationalError),
    ):
        scheduler.executor.sync()
    assert not scheduler.executor.event_buffer
    scheduler.executor.sync()
    assert list(scheduler.executor.event_buffer) == [run.ti.key]


@pytest.mark.parametrize("state", ["deferred", "up_for_reschedule", "scheduled"])
def test_the_end_of_an_attempt_that_parked_its_task_fails_nothing(
    scheduler: Scheduler, make_run: Any, state: str
) -> None:
    run = make_run()
    scheduler.queue()
    attempt = granted(run)
    run.set(state=state)
    ended(attempt, "lost", "its agent vanished right after the task deferred")
    scheduler.heartbeat()
    assert run.ti.state == state


def test_the_end_of_an_earlier_attempt_does_not_touch_the_one_that_resumed(
    scheduler: Scheduler, make_run: Any
) -> None:
    run = make_run()
    scheduler.queue()
    first = granted(run)
    run.set(state="scheduled", next_method="resume")  # deferred, and its trigger fired
    scheduler.queue()
    assert [one.state for one in run.attempts] == ["running", "queued"]
    ended(first, "lost", "late news")
    scheduler.heartbeat()
    assert run.ti.state == "queued"
    assert len(scheduler.executor.running) == 1


def test_clearing_a_running_task_runs_it_again_however_the_old_process_ended(
    scheduler: Scheduler, make_run: Any
) -> None:
    run = make_run()
    scheduler.queue()
    attempt = granted(run)
    with create_session() as db:
        clear_task_instances([db.get_one(TaskInstance, run.ti.id)], db, dag_run_state=False)
    assert (run.ti.state, run.ti.id == attempt.subject_id) == ("restarting", False)
    ended(attempt, "stopped", "killed")
    scheduler.heartbeat()
    assert run.ti.state is None
    scheduler.heartbeat()
    assert run.attempts[0].reported_at is not None


def test_waiting_for_an_agent_is_not_being_stuck(scheduler: Scheduler, make_run: Any) -> None:
    run = make_run()
    scheduler.queue()
    run.set(queued_dttm=wall() - timedelta(hours=5))
    for _ in range(4):
        scheduler.runner._handle_tasks_stuck_in_queued()
        scheduler.heartbeat()
    assert run.ti.state == "queued"
    assert [one.state for one in run.attempts] == ["queued"]


def test_a_queued_task_without_an_attempt_is_requeued(scheduler: Scheduler, make_run: Any) -> None:
    run = make_run()
    scheduler.queue()
    with create_session() as db:
        db.execute(delete(Attempt))  # somebody restored half a backup
    run.set(queued_dttm=wall() - timedelta(hours=5))
    scheduler.runner._handle_tasks_stuck_in_queued()
    assert run.ti.state == "scheduled"


def test_a_restarted_scheduler_restarts_nothing(scheduler: Scheduler, make_run: Any) -> None:
    runs, waits = make_run(), make_run()
    scheduler.queue()
    attempt = granted(runs)
    scheduler.dies()

    successor = Scheduler()
    assert successor.runner.adopt_or_reset_orphaned_tasks() == 0

    assert (runs.ti.state, waits.ti.state) == ("running", "queued")
    assert {runs.ti.queued_by_job_id, waits.ti.queued_by_job_id} == {successor.job.id}
    successor.heartbeat()
    assert len(successor.executor.running) == 2
    ended(attempt, "lost", "gone")
    successor.heartbeat()
    assert runs.ti.state == "failed"
    assert waits.ti.state == "queued"


def test_news_a_dead_scheduler_took_with_it_is_told_by_the_next_one(
    scheduler: Scheduler, make_run: Any
) -> None:
    run = make_run()
    scheduler.queue()
    ended(granted(run), "lost", "gone")
    scheduler.executor.sync()  # in its memory, and never processed
    scheduler.dies()
    successor = Scheduler()
    successor.runner.adopt_or_reset_orphaned_tasks()
    successor.heartbeat()
    assert run.ti.state == "failed"


def test_what_nobody_answers_for_is_reset(scheduler: Scheduler, make_run: Any) -> None:
    run = make_run()
    scheduler.queue()
    with create_session() as db:
        db.execute(delete(Attempt))
    scheduler.dies()
    assert Scheduler().runner.adopt_or_reset_orphaned_tasks() == 1
    assert run.ti.state is None


def test_two_schedulers_report_only_their_own(scheduler: Scheduler, make_run: Any) -> None:
    run = make_run()
    scheduler.queue()
    ended(granted(run), "lost", "gone")
    other = Scheduler()
    other.heartbeat()
    assert run.ti.state == "running"
    scheduler.heartbeat()
    assert run.ti.state == "failed"


def test_work_whose_task_was_marked_meanwhile_is_taken_off_the_queue(
    scheduler: Scheduler, make_run: Any
) -> None:
    run = make_run()
    scheduler.queue()
    run.set(state="failed")
    scheduler.heartbeat()
    (attempt,) = run.attempts
    assert attempt.state == "revoked"


async def test_work_whose_task_was_cleared_meanwhile_is_not_offered(
    scheduler: Scheduler, make_run: Any, plane: Plane
) -> None:
    run = make_run()
    scheduler.queue()
    run.set(state=None)
    agent = await plane.agent().opens(bundles=["dags-folder"])
    assert await agent.offers() == []
    (attempt,) = run.attempts
    assert attempt.state == "revoked"


async def test_a_task_of_an_agent_that_is_cut_off_outlives_airflows_own_timeout(
    scheduler: Scheduler, make_run: Any, settings: Settings, clock: Clock, secret: str
) -> None:
    run = make_run()
    scheduler.queue()
    async with running(settings, clock, secret) as plane:
        agent = await plane.agent().opens(bundles=["dags-folder"])
        (offer,) = await agent.offers()
        await agent.start(offer)
    run.set(state="running", start_date=wall(), last_heartbeat_at=wall() - timedelta(seconds=299))
    # the agent was last heard at the scene's noon, long before the scheduler's now: it is cut off, not given up
    scheduler.heartbeat()
    scheduler.runner._find_and_purge_task_instances_without_heartbeats()
    assert run.ti.state == "running"
    assert wall() - run.ti.last_heartbeat_at < timedelta(seconds=60)


def test_a_hung_task_of_an_agent_that_polls_is_still_found_by_airflow(
    scheduler: Scheduler, make_run: Any
) -> None:
    run = make_run()
    scheduler.queue()
    granted(run)
    old = wall() - timedelta(seconds=400)
    run.set(last_heartbeat_at=old)
    scheduler.executor._next_sweep = 0.0
    scheduler.executor.sync()
    assert run.ti.last_heartbeat_at == old


def test_core_parallelism_does_not_limit_work_that_others_do(scheduler: Scheduler, make_run: Any) -> None:
    scheduler.runner._parallelism = 1
    runs = [make_run() for _ in range(3)]
    for _ in range(3):
        scheduler.queue()
    assert [run.ti.state for run in runs] == ["queued"] * 3
    assert scheduler.executor.slots_available == Settings().parallelism - 3


def test_parallelism_of_its_own_limits_it(make_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_settings, "current", lambda: Settings(parallelism=2))
    scheduler = Scheduler()
    runs = [make_run() for _ in range(3)]
    for _ in range(3):
        scheduler.queue()
    assert sorted(run.ti.state for run in runs) == ["queued", "queued", "scheduled"]


def test_callbacks_are_reported_and_outlive_their_scheduler(scheduler: Scheduler, clock: Clock) -> None:
    subject = uuid4()
    attempt = queued(Clock(wall()), subject=subject, job=scheduler.job.id)
    scheduler.dies()
    successor = Scheduler()
    successor.heartbeat()
    assert successor.executor.running == {CallbackKey(id=str(subject))}

    with create_session() as db:
        db.execute(update(Attempt).where(Attempt.id == attempt).values(state="running"))
    successor.executor.sync()
    assert successor.executor.get_event_buffer() == {
        CallbackKey(id=str(subject)): (CallbackState.RUNNING, None)
    }
    ended(row(attempt), "failed", "no such function")
    successor.executor.sync()
    assert successor.executor.get_event_buffer() == {
        CallbackKey(id=str(subject)): (CallbackState.FAILED, "no such function")
    }


def test_a_connection_test_airflow_gave_up_is_taken_back(scheduler: Scheduler) -> None:
    subject: UUID = uuid4()
    attempt = queued(Clock(wall()), subject=subject, kind=WorkKind.CONNECTION_TEST, job=scheduler.job.id)
    scheduler.executor.fail_connection_test(str(subject))
    assert row(attempt).state == "revoked"
