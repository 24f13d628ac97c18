"""Dag files to report, and what the plane has stored of them."""

from __future__ import annotations

from airflow.models.dag import DagModel
from airflow.models.errors import ParseImportError
from airflow.models.serialized_dag import SerializedDagModel
from sqlalchemy import select

from tradewind_provider.airflow.database import create_session

DAG = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
with DAG({dag_id!r}, schedule={schedule}, start_date=__import__("datetime").datetime(2024, 1, 1), tags=["t"]):
    EmptyOperator(task_id={task_id!r})
"""


def text(dag_id: str = "one", task_id: str = "a", schedule: str = "None") -> str:
    return DAG.format(dag_id=dag_id, task_id=task_id, schedule=schedule)


def dag(dag_id: str = "one") -> DagModel:
    with create_session() as db:
        found = db.scalar(select(DagModel).where(DagModel.dag_id == dag_id))
        assert found is not None, f"there is no Dag {dag_id}"
        return found


def tasks(dag_id: str = "one") -> list[str]:
    with create_session() as db:
        row = db.scalar(SerializedDagModel.latest_item_select_object(dag_id))
        assert row is not None
        return [task["__var"]["task_id"] for task in row.data["dag"]["tasks"]]


def errors() -> dict[str, str]:
    with create_session() as db:
        return {row.filename: row.stacktrace for row in db.scalars(select(ParseImportError))}
