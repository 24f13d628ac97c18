"""Triggers of sites' Dags are kept from the plane's own triggerers.

Airflow's triggerer takes every trigger without a queue, and one that was started with `--queues` those of its queues. So a
trigger of a Dag that came from an agent is given a queue of a name that only agents are asked for, in the transaction that
makes it: the plane never runs what came from an agent. What is in front of the name is followed by the queue it had.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from airflow.models.asset import AssetWatcherModel
from airflow.models.callback import Callback
from airflow.models.dag import DagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from sqlalchemy import ColumnElement, Select, event, func, or_, select, update
from sqlalchemy.orm import Session

from tradewind_provider.airflow import asset_owners
from tradewind_provider.store.dag_tables import DagBundle

PREFIX: Final = "tradewind:"
_NEW: Final = "tradewind_new_triggers"


def install() -> None:
    """Mark triggers in every transaction of this process from now on. Idempotent."""
    for name, listener in (("after_flush", _note), ("before_commit", _mark)):
        if not event.contains(Session, name, listener):
            event.listen(Session, name, listener)


def queues(names: Collection[str]) -> set[str]:
    """The names as they stand in the table, marked and not."""
    return {*names, *(PREFIX + name for name in names)}


def of_bundles(bundles: Collection[str] | Select[str]) -> ColumnElement[bool]:
    """The condition that a trigger is waited for by a task or callback of a Dag of these bundles, or watches an asset that
    belongs to such a Dag. Another Dag that names the asset does not get the trigger."""
    dags = select(DagModel.dag_id).where(DagModel.bundle_name.in_(bundles))
    waits = select(TaskInstance.trigger_id).where(
        TaskInstance.trigger_id.is_not(None), TaskInstance.dag_id.in_(dags)
    )
    calls = select(Callback.trigger_id).where(
        Callback.trigger_id.is_not(None), Callback.bundle_name.in_(bundles)
    )
    watches = select(AssetWatcherModel.trigger_id).where(
        AssetWatcherModel.asset_id.in_(asset_owners.of_dags(dags))
    )
    # by id, so that none of these is taken for a part of the statement around it
    return or_(*(Trigger.id.in_(each.correlate(None)) for each in (waits, calls, watches)))


def _note(session: Session, *_: Any) -> None:
    new = [one.id for one in session.new if isinstance(one, Trigger)]
    if new:
        session.info.setdefault(_NEW, []).extend(new)


def _mark(session: Session) -> None:
    if session.in_nested_transaction():
        return  # who waits for the trigger may be written later
    session.flush()
    new = session.info.pop(_NEW, None)
    if not new:
        return
    session.execute(
        update(Trigger)
        .where(Trigger.id.in_(new), of_bundles(select(DagBundle.name)))
        .where(or_(Trigger.queue.is_(None), Trigger.queue.not_like(f"{PREFIX}%")))
        .values(queue=PREFIX + func.coalesce(Trigger.queue, ""))
        .execution_options(synchronize_session=False)
    )
