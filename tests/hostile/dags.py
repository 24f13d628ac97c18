"""A Dag with something of everything, and runs of what was stored, made as the scheduler makes them."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from airflow import settings as airflow_settings
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.dag_processing.processor import _serialize_dags
from airflow.models.dagbag import DBDagBag
from airflow.models.taskinstance import TaskInstance
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol import boundary
from tradewind_provider.airflow.database import create_session

TEXT = """
from datetime import datetime, timedelta, timezone
from airflow.sdk import DAG, Asset, Param, TaskGroup, setup, task, teardown
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync

late = DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=1), SyncCallback("site.late"))
with DAG("attackers_rich", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), deadline=late,
         params={"n": Param(1, type="integer", minimum=0)}, tags=["t"], owner_links={"ada": "https://example.com"},
         dagrun_timeout=timedelta(hours=2), default_args={"retries": 2}, max_active_runs=3):
    first = EmptyOperator(task_id="first", outlets=[Asset(name="attackers-n", uri="file:///attackers")], pool_slots=1)

    @task
    def mapped(x): ...

    with TaskGroup("group"):
        inside = EmptyOperator(task_id="inside", trigger_rule="all_done", priority_weight=7)
        waits = DateTimeSensorAsync(task_id="waits", target_time=datetime(2026, 1, 1, tzinfo=timezone.utc), start_from_trigger=True)
    first >> mapped.expand(x=[1, 2, 3]) >> inside >> waits
"""


@cache
def rich_dag(home: Path, bundle: str) -> dict[str, Any]:
    """As it leaves a strict site."""
    file = home / "rich.py"
    file.write_text(TEXT)
    bag = BundleDagBag(dag_folder=str(file), bundle_path=home, bundle_name=bundle, load_op_links=False)
    [serialized], errors = _serialize_dags(bag, airflow_settings.log)  # type: ignore[attr-defined]
    assert not bag.import_errors and not errors, (bag.import_errors, errors)
    key = SiteKey(b"the site's")
    data = json.loads(json.dumps(serialized.data))
    return dict(boundary.reduced(data, key.digest, seal=key.seal).data)


def made_run(dag_id: str) -> str:
    """Make a run of the newest version and decide about its tasks, and take it back. What went wrong; empty: nothing.

    PostgreSQL refuses a value that its column does not take; for SQLite, which takes all, the columns are compared.
    """
    now = datetime.now(timezone.utc)
    with create_session() as db:
        try:
            dag = DBDagBag().get_latest_version_of_dag(dag_id, session=db)
            if dag is None:
                return "it is stored, and cannot be read"
            run = dag.create_dagrun(
                run_id=f"manual__{uuid4()}",
                logical_date=now,
                data_interval=(now, now),
                run_after=now,
                run_type=DagRunType.MANUAL,
                triggered_by=DagRunTriggeredByType.TEST,
                state="running",
                session=db,
            )
            run.dag = dag
            run.update_state(session=db, execute_callbacks=False)
            db.flush()
            return _too_large(db, run)
        except Exception as problem:
            return f"a run cannot be made: {type(problem).__name__}: {str(problem)[:200]}"
        finally:
            db.rollback()


def _too_large(db: Session, run: Any) -> str:
    rows = [run, *db.scalars(select(TaskInstance).where(TaskInstance.run_id == run.run_id))]
    for row in rows:
        for column in row.__table__.columns:
            value = getattr(row, column.key, None)
            length = getattr(column.type, "length", None)
            if isinstance(value, str) and length is not None and len(value) > length:
                return f"{column} would take {len(value)} characters"
            if isinstance(value, int) and abs(value) > 2**31 and str(column.type) == "INTEGER":
                return f"{column} would take {value}"
    return ""
