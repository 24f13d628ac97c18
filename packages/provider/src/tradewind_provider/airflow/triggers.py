"""Airflow's `trigger` table: which job runs which, what is no longer needed, and what follows from an event."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from airflow.models.asset import AssetWatcherModel
from airflow.models.callback import Callback
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.triggers.base import TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent, TriggerEvent
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.functions import coalesce

from tradewind_protocol import triggers as wire
from tradewind_protocol import values
from tradewind_provider.airflow import assets, site_triggers, trigger_jobs

AT_A_TIME = Trigger.max_trigger_to_select_per_loop
"""Of each kind of trigger in one assignment, so that several triggerers share what appears at once."""

_CHUNK = 5_000  # parameters of one statement
_MODULUS = 46_337  # a prime whose square fits into 32 bits; see `TriggerFingerprint`

_EVENTS: dict[wire.EndState, type[Any]] = {
    wire.EndState.SUCCESS: TaskSuccessEvent,
    wire.EndState.FAILED: TaskFailedEvent,
    wire.EndState.SKIPPED: TaskSkippedEvent,
}


@dataclass(frozen=True)
class ServedTriggers:
    """Which triggers a triggerer may take: those of Dags of its bundles, of its queues, and those of no queue when
    `unqueued`."""

    queues: frozenset[str]
    unqueued: bool
    bundles: frozenset[str] = frozenset()

    def condition(self) -> ColumnElement[bool]:
        return and_(self._of_a_queue(), self._of_a_bundle())

    def _of_a_bundle(self) -> ColumnElement[bool]:
        return site_triggers.of_bundles(self.bundles) if self.bundles else Trigger.id.is_(None)

    def _of_a_queue(self) -> ColumnElement[bool]:
        clauses: list[ColumnElement[bool]] = []
        if self.unqueued:
            clauses += [Trigger.queue.is_(None), Trigger.queue == site_triggers.PREFIX]
        if self.queues:
            clauses.append(Trigger.queue.in_(site_triggers.queues(self.queues)))
        return or_(*clauses) if clauses else Trigger.id.is_(None)


@dataclass(frozen=True)
class TriggerFingerprint:
    """A set of trigger ids in three numbers, cheap to compute in SQL: two sets with equal ones are taken as equal
    until the next full look."""

    count: int = 0
    total: int = 0
    squares: int = 0

    @classmethod
    def of(cls, ids: Collection[int]) -> TriggerFingerprint:
        return cls(len(ids), sum(ids), sum((one % _MODULUS) ** 2 for one in ids))

    def __add__(self, other: TriggerFingerprint) -> TriggerFingerprint:
        return TriggerFingerprint(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )


def prints(db: Session) -> dict[int | None, TriggerFingerprint]:
    """The fingerprint of what each triggerer has, and under None of what none has: one pass over the table."""
    rest = Trigger.id % _MODULUS
    rows = db.execute(
        select(
            Trigger.triggerer_id, func.count(Trigger.id), func.sum(Trigger.id), func.sum(rest * rest)
        ).group_by(Trigger.triggerer_id)
    )
    return {
        owner: TriggerFingerprint(int(count), int(total), int(squares))
        for owner, count, total, squares in rows
    }


def assigned(db: Session, job_id: int) -> set[int]:
    """The triggers that job has."""
    return set(db.scalars(select(Trigger.id).where(Trigger.triggerer_id == job_id)))


def owners(db: Session, ids: Collection[int]) -> dict[int, int | None]:
    """Who has each of these triggers; those that do not exist are left out."""
    found: dict[int, int | None] = {}
    for some in _chunks(ids):
        rows = db.execute(select(Trigger.id, Trigger.triggerer_id).where(Trigger.id.in_(some)))
        found.update((trigger_id, owner) for trigger_id, owner in rows)
    return found


def assign(db: Session, job_id: int, *, room: int, served: ServedTriggers, alive_since: datetime) -> set[int]:
    """Take up to `room` triggers that no living triggerer has; callbacks first, then tasks, then asset watchers.

    As `Trigger.assign_unassigned`, which cannot be used for two reasons: it takes callbacks' triggers away from
    triggerers that are alive (its first query forgets to ask), so two triggerers would run each callback twice; and
    it knows either queues or none.
    """
    free = _free(alive_since)
    taken: list[int] = []
    for statement in _candidates():
        limit = min(room - len(taken), AT_A_TIME)
        if limit <= 0:
            break
        statement = statement.where(free, served.condition()).limit(limit)
        taken += db.scalars(statement.with_for_update(of=Trigger, skip_locked=True))
    _give(db, taken, job_id)
    return set(taken)


def adopt(
    db: Session,
    job_id: int,
    ids: Collection[int],
    *,
    room: int,
    served: ServedTriggers,
    alive_since: datetime,
) -> set[int]:
    """Take those of `ids` that no living triggerer has: a host that runs them already goes on with them."""
    taken: list[int] = []
    for some in _chunks(ids):
        statement = (
            select(Trigger.id)
            .where(Trigger.id.in_(some), _free(alive_since), served.condition())
            .limit(max(0, room - len(taken)))
        )
        taken += db.scalars(statement.with_for_update(of=Trigger, skip_locked=True))
    _give(db, taken, job_id)
    return set(taken)


def clean_unused(db: Session) -> bool:
    """Delete triggers nothing waits for any more, as Airflow's triggerer does; a write only when there is one."""
    ended = select(TaskInstance.id).where(
        TaskInstance.trigger_id.is_not(None),
        or_(TaskInstance.state.is_(None), TaskInstance.state != TaskInstanceState.DEFERRED),
    )
    unused = select(Trigger.id).where(
        ~exists().where(TaskInstance.trigger_id == Trigger.id),
        ~exists().where(AssetWatcherModel.trigger_id == Trigger.id),
        ~exists().where(Callback.trigger_id == Trigger.id),
    )
    if db.scalar(ended.limit(1)) is None and db.scalar(unused.limit(1)) is None:
        return False
    # Airflow's own statement misses task instances without a state: a cleared one. Its row would keep the trigger.
    db.execute(
        update(TaskInstance)
        .where(TaskInstance.state.is_(None), TaskInstance.trigger_id.is_not(None))
        .values(trigger_id=None)
        .execution_options(synchronize_session=False)
    )
    Trigger.clean_unused(session=db)
    return True


def event_transaction() -> AbstractContextManager[Session]:
    """A transaction for `submit_event`: on Airflow's thread-bound session, because what an event sets off opens that
    one again, and on SQLite a second session would wait for the first for ever."""
    return create_session(scoped=True)


def submit_event(db: Session, trigger_id: int, event: wire.Event, *, site: str) -> None:
    """What Airflow does when a trigger fires at that site. Raises ValueError when the event is none."""
    fired = event_of(event)
    if not isinstance(fired.payload, dict) and _is_of_callback(db, trigger_id):
        raise ValueError("the event of a callback's trigger must be a map")
    with assets.emitted_by(db, site):
        Trigger.submit_event(trigger_id, fired, session=db)


def event_of(event: wire.Event) -> TriggerEvent:
    """The event in Airflow's classes. Raises ValueError for a payload that `values.pack` did not make."""
    if event.end_state is None:
        return TriggerEvent(values.unpack(event.payload))
    xcoms = {key: values.unpack(value) for key, value in (event.xcoms or {}).items()}
    fired: TriggerEvent = _EVENTS[event.end_state](xcoms=xcoms or None)
    return fired


def submit_failure(db: Session, trigger_id: int, traceback: Sequence[str] | None) -> None:
    """What Airflow does when a trigger ends without an event: the tasks that wait for it fail."""
    Trigger.submit_failure(trigger_id, None if traceback is None else list(traceback), session=db)


def waiting(db: Session, trigger_id: int) -> str:
    """The task that waits for the trigger, as people name it; empty for an asset's and a callback's."""
    one = db.execute(
        select(
            TaskInstance.dag_id,
            TaskInstance.task_id,
            TaskInstance.run_id,
            TaskInstance.map_index,
        ).where(TaskInstance.trigger_id == trigger_id)
    ).first()
    if one is None:
        return ""
    mapped = f", map {one.map_index}" if one.map_index >= 0 else ""
    return f"{one.dag_id}.{one.task_id} [{one.run_id}{mapped}]"


def _is_of_callback(db: Session, trigger_id: int) -> bool:
    return bool(db.scalar(select(exists().where(Callback.trigger_id == trigger_id))))


def _candidates() -> Iterator[Select[int]]:
    yield (
        select(Trigger.id)
        .join(Callback, Callback.trigger_id == Trigger.id)
        .order_by(Callback.priority_weight.desc(), Trigger.created_date)
    )
    yield (
        select(Trigger.id)
        .join(TaskInstance, TaskInstance.trigger_id == Trigger.id)
        .where(TaskInstance.state == TaskInstanceState.DEFERRED)
        .order_by(coalesce(TaskInstance.priority_weight, 0).desc(), Trigger.created_date)
    )
    watched = exists().where(AssetWatcherModel.trigger_id == Trigger.id)
    yield select(Trigger.id).where(watched).order_by(Trigger.created_date)


def _free(alive_since: datetime) -> ColumnElement[bool]:
    return or_(Trigger.triggerer_id.is_(None), Trigger.triggerer_id.not_in(trigger_jobs.alive(alive_since)))


def _give(db: Session, ids: Collection[int], job_id: int) -> None:
    for some in _chunks(ids):
        db.execute(
            update(Trigger)
            .where(Trigger.id.in_(some))
            .values(triggerer_id=job_id)
            .execution_options(synchronize_session=False)
        )


def _chunks(ids: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), _CHUNK):
        yield ordered[start : start + _CHUNK]
