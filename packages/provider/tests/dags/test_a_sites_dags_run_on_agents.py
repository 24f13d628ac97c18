"""On a plane whose first executor is another, what came from an agent runs on agents, and the plane's own Dags do not."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.executors.executor_loader import ExecutorLoader
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.models.dagbag import DBDagBag
from airflow.models.deadline_alert import DeadlineAlert
from airflow.models.taskinstance import TaskInstance
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol import dags as wire
from tradewind_provider.airflow import remote_executor
from tradewind_provider.airflow.database import create_session
from tradewind_provider.executor import RemoteExecutor

from .conftest import Clock, Parsed, Site
from .reported import errors

TEXT = """
from datetime import timedelta
from airflow.sdk import DAG, task
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

late = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(hours=1), callback=SyncCallback("site.late")
)
with DAG("one", schedule=None, deadline=late):

    @task
    def plain(): ...

    @task
    def mapped(x): ...

    @task(executor="RemoteExecutor")
    def named(): ...

    plain() >> named()
    mapped.expand(x=[1, 2])
"""


def made_run(db: Session, clock: Clock) -> list[TaskInstance]:
    dag = DBDagBag().get_latest_version_of_dag("one", session=db)
    assert dag is not None
    run = dag.create_dagrun(
        run_id="manual",
        logical_date=clock(),
        data_interval=(clock(), clock()),
        run_after=clock(),
        run_type=DagRunType.MANUAL,
        triggered_by=DagRunTriggeredByType.TEST,
        state="running",
        session=db,
    )
    db.flush()
    return list(run.get_task_instances(session=db))


def test_every_task_of_a_sites_dag_is_routed_to_the_remote_executor(
    site: Site, parsed: Parsed, clock: Clock
) -> None:
    site.claim("main")
    assert site.report(files=(parsed("one.py", TEXT),)).refused == ()
    assert errors() == {}
    local, remote = ExecutorLoader.init_executors()
    assert isinstance(remote, RemoteExecutor)
    runner = SchedulerJobRunner.__new__(SchedulerJobRunner)
    runner.executors, runner.executor, runner._multi_team = [local, remote], local, False
    with create_session() as db:
        found = {one.task_id: one for one in made_run(db, clock)}
        assert found.keys() == {"plain", "mapped", "named"}
        assert {runner._try_to_load_executor(one, db) for one in found.values()} == {remote}
        callback = db.scalars(select(DeadlineAlert.callback_def)).one()
        assert callback["__data__"]["executor"] == remote_executor.NAME
        db.rollback()


def test_a_deadline_callback_cannot_name_an_executor_of_the_plane(site: Site, parsed: Parsed) -> None:
    site.claim("main")
    file = parsed(
        "one.py",
        TEXT.replace('SyncCallback("site.late")', 'SyncCallback("os.system", executor="LocalExecutor")'),
    )
    told = site.report(files=(file,))
    assert (
        "A deadline callback of Dag 'one' specifies executor 'LocalExecutor'"
        in told.refused[0].refusal.message
    )


@pytest.mark.parametrize(
    "callback",
    [
        {"__classname__": "builtins.dict", "__version__": 0, "__data__": {"path": "os.system"}},
        {"__type": "x", "__var": {}},
        "os.system",
    ],
)
def test_a_deadline_with_a_callback_that_is_none_is_an_import_error(
    site: Site, parsed: Parsed, callback: Any
) -> None:
    site.claim("main")
    file = parsed("one.py", TEXT)
    data = file.model_copy(deep=True).dags[0]
    data["dag"]["deadline"][0]["callback"] = callback
    told = site.report(files=(file.model_copy(update={"dags": (data,)}),))
    assert told.stored == ("one.py",)
    assert [one.dag_id for one in told.refused] == ["one"]


def test_a_plane_that_does_not_list_the_executor_of_agents_says_so_at_the_file(
    site: Site, parsed: Parsed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_executor, "names", frozenset)
    site.claim("main")
    told = site.report(files=(parsed("one.py", TEXT),))
    assert "does not list the executor of agents" in errors()["one.py"]
    assert isinstance(told.refused[0], wire.FileRefused)
