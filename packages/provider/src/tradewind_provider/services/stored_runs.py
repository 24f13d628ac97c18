"""What becomes of the runs that a site has stored values of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol import storage
from tradewind_protocol.stored_runs import MOST_XCOMS, AskRuns, Fate, RunFate
from tradewind_provider.airflow import runs as airflow_runs
from tradewind_provider.services import work_routes
from tradewind_provider.services.agents import Agent
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.tables import Attempt


def fates(db: Session, agent: Agent, ask: AskRuns) -> tuple[RunFate, ...]:
    """The fate of each run that is asked for, as far as the agent's site may know of its Dag."""
    known = {storage.segment(one): one for one in _dag_ids(db, agent.site)}
    asked: dict[str, set[str]] = defaultdict(set)
    for one in ask.runs:
        asked[one.dag].add(one.run)
    found: dict[tuple[str, str], RunFate] = {}
    for dag, segments in asked.items():
        if (dag_id := known.get(dag)) is not None:
            found |= {(dag, fate.run): fate for fate in _of_dag(db, dag, dag_id, segments)}
    return tuple(
        found.get(
            (one.dag, one.run),
            RunFate(dag=one.dag, run=one.run, fate=Fate.DELETED if one.dag in known else Fate.UNKNOWN),
        )
        for one in ask.runs
    )


def _dag_ids(db: Session, site: str) -> list[str]:
    """The Dags whose tasks run at that site: those of its bundles, and of the plane's own those that it gets because it
    is the site of the plane's work, or has run a task of."""
    owners = {row.name: row.site for row in db.execute(select(DagBundle.name, DagBundle.site))}
    found = airflow_runs.dag_ids_of(db, [name for name, owner in owners.items() if owner == site])
    planes = airflow_runs.dag_ids_outside(db, owners)
    if not planes or work_routes.has_the_planes_work(db, site):
        return found + planes
    ran = select(Attempt.dag_id).where(Attempt.site == site, Attempt.dag_id.in_(planes)).distinct()
    return found + [one for one in db.scalars(ran) if one is not None]


def _of_dag(db: Session, dag: str, dag_id: str, segments: set[str]) -> list[RunFate]:
    ids = {one for one in segments if storage.segment(one) == one}
    if hashed := segments - ids:  # of a name that is no file name: it can only be recognised
        ids |= {one for one in airflow_runs.run_ids_of(db, dag_id) if storage.segment(one) in hashed}
    return [
        RunFate(
            dag=dag,
            run=storage.segment(run.run_id),
            fate=Fate.LIVE if run.live else Fate.ENDED,
            ended_at=run.ended_at,
            xcoms=None if run.live else _xcoms(db, dag_id, run.run_id),
        )
        for run in airflow_runs.runs(db, dag_id, ids)
    ]


def _xcoms(db: Session, dag_id: str, run_id: str) -> tuple[str, ...] | None:
    values = list(airflow_runs.xcom_values(db, dag_id, run_id, most=MOST_XCOMS + 1))
    if len(values) > MOST_XCOMS:
        return None
    return _references(values)


def _references(values: Iterable[Any]) -> tuple[str, ...]:
    """The file names of those that are references."""
    references = (storage.parse(one) for one in values)
    return tuple(one.path.rsplit("/", 1)[1] for one in references if one is not None)
