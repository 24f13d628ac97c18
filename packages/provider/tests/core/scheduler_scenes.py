"""Airflow's real scheduler a step at a time, and runs of a Dag with one task."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.jobs.job import Job, JobState
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dag import DagModel
from airflow.models.log import Log
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG
from airflow.serialization.definitions.dag import SerializedDAG
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.utils.session import create_session as scheduler_session
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select, update

from tradewind_provider.airflow.database import create_session
from tradewind_provider.executor import RemoteExecutor
from tradewind_provider.store.tables import Attempt


def wall() -> datetime:
    return datetime.now(timezone.utc)


class Scheduler:
    """One scheduler with our executor, a step at a time."""

    def __init__(self) -> None:
        with create_session() as db:
            self.job = Job(job_type="SchedulerJob", state=JobState.RUNNING)
            self.job.latest_heartbeat = wall()
            db.add(self.job)
            db.flush()
        self.executor = RemoteExecutor()
        self.executor.name = None
        self.executor.callback_sink = _Sink()  # type: ignore[assignment]
        self.runner = SchedulerJobRunner(job=self.job, executors=[self.executor])
        self.executor.job_id = self.job.id
        self.executor.start()

    def queue(self) -> None:
        with scheduler_session() as db:
            self.runner._critical_section_enqueue_task_instances(session=db)

    def heartbeat(self) -> None:
        """What the loop does after scheduling: executor, then its events."""
        self.executor._next_sweep = self.executor._next_reconcile = 0.0
        self.executor.heartbeat()
        with scheduler_session() as db:
            self.runner._process_executor_events(executor=self.executor, session=db)

    def dies(self) -> None:
        with create_session() as db:
            db.execute(update(Job).where(Job.id == self.job.id).values(state=JobState.FAILED))


class _Sink:
    def send(self, request: Any) -> None:
        pass


class Run:
    """A run of a Dag with one task."""

    def __init__(self, *, retries: int = 0) -> None:
        self.dag_id = f"dag-{uuid4().hex[:8]}"
        with DAG(self.dag_id, schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)) as dag:
            BashOperator(
                task_id="t", bash_command="true", retries=retries, retry_delay=timedelta(0), queue="default"
            )
        lazy = LazyDeserializedDAG.from_dag(dag)
        DagBundlesManager().sync_bundles_to_db()
        with create_session() as db:
            SerializedDAG.bulk_write_to_db("dags-folder", None, [lazy], session=db)
            SerializedDagModel.write_dag(lazy, bundle_name="dags-folder", session=db)
            db.flush()
            db.execute(update(DagModel).where(DagModel.dag_id == self.dag_id).values(is_paused=False))
            serialized = SerializedDagModel.get_dag(self.dag_id, session=db)
            assert serialized is not None
            made = serialized.create_dagrun(
                run_id="r1",
                run_after=wall(),
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state=DagRunState.RUNNING,
                session=db,
            )
            for ti in made.get_task_instances(session=db):
                ti.state, ti.try_number = TaskInstanceState.SCHEDULED, 1

    @property
    def ti(self) -> TaskInstance:
        with create_session() as db:
            found = db.scalar(select(TaskInstance).where(TaskInstance.dag_id == self.dag_id))
            assert found is not None
            return found

    def set(self, **values: Any) -> None:
        with create_session() as db:
            db.execute(update(TaskInstance).where(TaskInstance.dag_id == self.dag_id).values(**values))

    @property
    def attempts(self) -> list[Attempt]:
        with create_session() as db:
            return list(
                db.scalars(select(Attempt).where(Attempt.dag_id == self.dag_id).order_by(Attempt.created_at))
            )

    def events(self) -> list[str]:
        with create_session() as db:
            return [
                f"{one.event}: {one.extra}"
                for one in db.scalars(select(Log).where(Log.dag_id == self.dag_id).order_by(Log.id))
            ]


def ended(attempt: Attempt, outcome: str, reason: str = "") -> None:
    with create_session() as db:
        db.execute(
            update(Attempt)
            .where(Attempt.id == attempt.id)
            .values(state="finished", outcome=outcome, reason=reason, ended_at=wall())
        )


def granted(run: Run) -> Attempt:
    """The run's attempt, as if an agent had been granted it and had started its task."""
    (attempt,) = [one for one in run.attempts if one.state == "queued"]
    with create_session() as db:
        db.execute(update(Attempt).where(Attempt.id == attempt.id).values(state="running", epoch=1))
    run.set(state="running", last_heartbeat_at=wall(), start_date=wall())
    return attempt
