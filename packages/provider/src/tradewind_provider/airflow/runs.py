"""Runs, their states and their XComs, as Airflow's tables have them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.state import State
from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class DagRunState:
    """One run of a Dag."""

    dag_id: str
    run_id: str
    live: bool  # it has not ended, or a task of it has not
    ended_at: datetime | None


def dag_ids_of(db: Session, bundles: Collection[str]) -> list[str]:
    """The Dags of these bundles, stale ones too."""
    return list(db.scalars(select(DagModel.dag_id).where(DagModel.bundle_name.in_(bundles))))


def dag_ids_outside(db: Session, bundles: Collection[str]) -> list[str]:
    """The Dags of every other bundle, stale ones too."""
    return list(
        db.scalars(
            select(DagModel.dag_id).where(
                or_(DagModel.bundle_name.is_(None), DagModel.bundle_name.not_in(bundles))
            )
        )
    )


def run_ids_of(db: Session, dag_id: str) -> list[str]:
    """Every run of a Dag."""
    return list(db.scalars(select(DagRun.run_id).where(DagRun.dag_id == dag_id)))


def runs(db: Session, dag_id: str, run_ids: Collection[str]) -> list[DagRunState]:
    """Those of the runs that there are."""
    unfinished = [state for state in State.unfinished if state is not None]
    works = exists().where(
        TaskInstance.dag_id == DagRun.dag_id,
        TaskInstance.run_id == DagRun.run_id,
        TaskInstance.state.in_(unfinished),
    )
    rows = db.execute(
        select(DagRun.run_id, DagRun.state, DagRun.end_date, or_(works, DagRun.end_date.is_(None))).where(
            DagRun.dag_id == dag_id, DagRun.run_id.in_(run_ids)
        )
    )
    return [
        DagRunState(
            dag_id, run_id, live=bool(works_on) or state not in State.finished_dr_states, ended_at=ended
        )
        for run_id, state, ended, works_on in rows
    ]


def xcom_values(db: Session, dag_id: str, run_id: str, *, most: int) -> Iterator[Any]:
    """The values of a run's XComs, `most` at most."""
    yield from db.scalars(
        select(XComModel.value).where(XComModel.dag_id == dag_id, XComModel.run_id == run_id).limit(most)
    )
