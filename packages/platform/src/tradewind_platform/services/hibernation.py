"""Hibernation: asked for by a person or a schedule, carried out by operations."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, bindparam, not_, or_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.cron import require_cron
from tradewind_platform.domain.hibernation import Override, SleepPlan, SleepSchedule
from tradewind_platform.domain.operations import Kind, Phase
from tradewind_platform.domain.roles import Permission, Principal
from tradewind_platform.services import deployment_lookup, operations
from tradewind_platform.services.change import Change
from tradewind_platform.store.life_tables import Hibernation
from tradewind_platform.store.tables import Deployment
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import OperationView
from tradewind_protocol.platform_life import (
    ChangeHibernation,
    Hibernate,
    HibernationView,
    SleepScheduleView,
    WakeUp,
)

DEADLINE: Final = "deadline"
"""The argument of an operation: when it waits for tasks no longer, as ISO 8601."""


def hibernate(change: Change, reference: str, ask: Hibernate) -> OperationView:
    """It sleeps when its tasks have ended, until `until`, or until it is woken up."""
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_HIBERNATE)
    deadline = ask.deadline_seconds
    arguments = {} if deadline is None else {DEADLINE: (change.now + timedelta(seconds=deadline)).isoformat()}
    _override(change, row, sleeps=True, until=_later(change.now, ask.until))
    return operations.begun(change, row, Kind.HIBERNATE, arguments=arguments)


def wake_up(change: Change, reference: str, ask: WakeUp) -> OperationView:
    """It goes on, until its schedules say otherwise."""
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_HIBERNATE)
    until = _later(change.now, ask.until)
    if until is None:
        stay(change, row, sleeps=False)
    else:
        _override(change, row, sleeps=False, until=until)
    return operations.begun(change, row, Kind.WAKE)


def stay(change: Change, row: Deployment, *, sleeps: bool) -> None:
    """Its schedules are not followed before their next moment."""
    coming = SleepPlan(_plan(_of(change.db, row)).schedules).next_change(change.now)
    _override(change, row, sleeps=sleeps, until=coming[1] if coming is not None else change.now)


def set_schedules(change: Change, reference: str, ask: ChangeHibernation) -> HibernationView:
    """The schedules that it follows from now on. `If-Match` is about them, and not about the Deployment."""
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_HIBERNATE, own_revision=False)
    found = _of(change.db, row)
    change.expect(found.revision, f"the hibernation of the Deployment {row.name!r}")
    for at, one in enumerate(ask.schedules):
        for field in ("hibernate_at_cron", "wake_at_cron"):
            _require_cron(f"schedules.{at}.{field}", getattr(one, field))
    wanted = [one.model_dump() for one in ask.schedules]
    change.event.changes = {"schedules": [found.schedules, wanted]}
    found.schedules = wanted
    found.revision += 1
    _plan_next(found, change.now)
    change.db.flush()
    return view(found, change.now)


def _require_cron(field: str, expression: str) -> None:
    """Raises Refused MALFORMED, with the field, for what is no cron expression."""
    try:
        require_cron(expression)
    except ValueError as error:
        raise Refused(
            Code.MALFORMED,
            str(error),
            remedy="Write minute, hour, day, month, weekday: `0 19 * * 1-5`.",
            errors=[{"where": f"body.{field}", "what": str(error)}],
        ) from None


def get(db: Session, caller: Principal, reference: str, *, now: datetime) -> HibernationView:
    row = deployment_lookup.found(db, caller, reference)
    return view(_found(db, row) or Hibernation(schedules=[], revision=0), now)


@dataclass(frozen=True)
class Due:
    """A moment of a Deployment's plan that has come."""

    deployment: UUID
    hibernation: UUID
    kind: Kind | None
    """What shall begin; None: it is so already, and what comes next is to be written down."""


def _may_be_due() -> Any:
    table = Hibernation
    runs, sleeps = (Deployment.phase == one.value for one in (Phase.RUNNING, Phase.ASLEEP))
    until_it_wakes = table.next_event == Kind.WAKE.value
    has_come = or_(table.next_event_at.is_(None), table.next_event_at <= bindparam("now"))
    return (
        select(table, Deployment.phase)
        .join(Deployment, Deployment.id == table.deployment_id)
        .where(
            operations.IDLE,
            or_(and_(runs, or_(until_it_wakes, has_come)), and_(sleeps, or_(not_(until_it_wakes), has_come))),
        )
    )


MAY_BE_DUE: Final = _may_be_due()
"""What `due` looks at closely, for a parameter `now`."""


def due(db: Session, now: datetime, *, only: UUID | None = None) -> list[Due]:
    """What schedules and ended overrides ask for at this moment: over all organizations, or of `only` this Deployment. Reads."""
    statement = MAY_BE_DUE if only is None else MAY_BE_DUE.where(Hibernation.deployment_id == only)
    found = []
    for row, phase in db.execute(statement, {"now": now}).all():
        at = row.next_event_at
        if at is not None and now < at:
            sleeps, is_planned = row.next_event == Kind.WAKE.value, True  # until what comes next has come
        else:
            sleeps = _plan(row).sleeps(now)
            is_planned = (row.next_event, at) == _next(row, now)
        if sleeps is not (phase == Phase.ASLEEP):
            found.append(Due(row.deployment_id, row.id, Kind.HIBERNATE if sleeps else Kind.WAKE))
        elif not is_planned:
            found.append(Due(row.deployment_id, row.id, None))
    return found


def write_down_next(db: Session, one: Due, now: datetime) -> None:
    """What comes next for the Deployment. Idempotent."""
    _plan_next(db.get_one(Hibernation, one.hibernation), now)


def planned(db: Session, deployments: Collection[UUID]) -> dict[UUID, tuple[str, datetime]]:
    """What comes next for these Deployments and when, by their ids."""
    wanted = select(Hibernation.deployment_id, Hibernation.next_event, Hibernation.next_event_at).where(
        Hibernation.next_event_at.is_not(None), Hibernation.deployment_id.in_(deployments)
    )
    return {id: (event, at) for id, event, at in db.execute(wanted) if at is not None}


def view(row: Hibernation, now: datetime) -> HibernationView:
    event, at = _next(row, now)
    holds = row.override_sleeps is not None and (row.override_until is None or now < row.override_until)
    return HibernationView(
        schedules=tuple(SleepScheduleView(**one) for one in row.schedules),
        override_sleeps=row.override_sleeps if holds else None,
        override_until=row.override_until if holds else None,
        next_event=event,
        next_event_at=at,
        revision=row.revision,
    )


def _plan_next(row: Hibernation, now: datetime) -> None:
    event, at = _next(row, now)
    if (row.next_event, row.next_event_at) != (event, at):
        row.next_event, row.next_event_at = event, at


def _next(row: Hibernation, now: datetime) -> tuple[str, datetime | None]:
    coming = _plan(row).next_change(now)
    if coming is None:
        return "", None
    sleeps, at = coming
    return (Kind.HIBERNATE if sleeps else Kind.WAKE).value, at


def _plan(row: Hibernation) -> SleepPlan:
    override = None
    if row.override_sleeps is not None:
        override = Override(row.override_sleeps, row.override_until)
    return SleepPlan([SleepSchedule(**one) for one in row.schedules], override)


def _override(change: Change, row: Deployment, *, sleeps: bool, until: datetime | None) -> None:
    found = _of(change.db, row)
    found.override_sleeps, found.override_until = sleeps, until
    found.revision += 1
    _plan_next(found, change.now)


def _later(now: datetime, until: datetime | None) -> datetime | None:
    if until is None:
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=timezone.utc)
    if until <= now:
        raise Refused(Code.MALFORMED, f"{until.isoformat()} is over", remedy="Name a moment to come.")
    return until


def _found(db: Session, row: Deployment) -> Hibernation | None:
    return db.scalar(select(Hibernation).where(Hibernation.deployment_id == row.id))


def _of(db: Session, row: Deployment) -> Hibernation:
    found = _found(db, row)
    if found is None:
        found = Hibernation(deployment_id=row.id, schedules=[], revision=0)
        db.add(found)
        db.flush()
    return found
