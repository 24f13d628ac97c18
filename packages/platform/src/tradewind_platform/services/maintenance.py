"""Maintenance of Deployments: windows, and clean-ups and backups that recur."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import following
from tradewind_platform.domain import maintenance as rules
from tradewind_platform.domain.deploys import code_of
from tradewind_platform.domain.maintenance import Recurrence, Window
from tradewind_platform.domain.operations import Kind, Phase
from tradewind_platform.domain.roles import Permission, Principal
from tradewind_platform.services import cluster_work, clusters, deployment_lookup, operations, revisions
from tradewind_platform.services.change import Change, require
from tradewind_platform.store.life_tables import Maintenance, RecurringWork
from tradewind_platform.store.tables import Deployment, Operation
from tradewind_protocol import platform_life as messages
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.platform import OperationView

BEFORE: Final = "before"
"""The argument of a clean-up: rows that are older go, as ISO 8601."""
FACT: Final = "clean"
"""The fact that a clean-up returns."""
_CRON: Final = "Write minute, hour, day, month, weekday in UTC: `0 3 * * 0`."


def get(db: Session, caller: Principal, reference: str, *, now: datetime) -> messages.MaintenanceView:
    row = deployment_lookup.found(db, caller, reference)
    require(caller, Permission.CONFIG_GET, deployment_lookup.target(row))
    return view(db, row, now)


def change(change: Change, reference: str, ask: messages.ChangeMaintenance) -> messages.MaintenanceView:
    """Windows and recurring work from now on. `If-Match` is about them, and not about the Deployment."""
    row = deployment_lookup.for_change(change, reference, Permission.DEPLOYMENT_UPGRADE, own_revision=False)
    found = _of(change.db, row)
    change.expect(found.revision, f"the maintenance of the Deployment {row.name!r}")
    if "windows" in ask.model_fields_set:
        wanted = [one.model_dump() for one in ask.windows]
        _require_windows(wanted)
        change.event.changes["windows"] = [found.windows, wanted]
        found.windows = wanted
    for name, kind in (("clean_up", Kind.CLEAN), ("backups", Kind.BACKUP)):
        if name in ask.model_fields_set:
            change.event.changes[name] = _set_recurring(change, row, name, kind, getattr(ask, name))
    if "follows" in ask.model_fields_set:
        change.event.changes["follows"] = _set_followed(change, row, found, ask.follows or "")
    found.revision += 1
    change.db.flush()
    return view(change.db, row, change.now)


def clean_up(change: Change, reference: str, ask: messages.CleanUp) -> OperationView:
    """Delete rows of the Deployment's database that are older than `keep_days`."""
    row = deployment_lookup.for_change(change, reference, operations.permission_for(Kind.CLEAN))
    require_window(change.db, row, Kind.CLEAN, now=change.now, anyway=ask.now)
    _require_known(change.db, row, Kind.CLEAN)
    change.event.changes = {"keep_days": ask.keep_days}
    return operations.begun(
        change, row, Kind.CLEAN, arguments=arguments_of_clean_up(change.now, ask.keep_days)
    )


def arguments_of_clean_up(now: datetime, keep_days: int) -> dict[str, Any]:
    return {BEFORE: (now - timedelta(days=keep_days)).isoformat()}


def require_window(db: Session, row: Deployment, kind: Kind, *, now: datetime, anyway: bool) -> None:
    """Raises Refused outside the Deployment's maintenance windows, unless it shall begin `anyway`."""
    opens = rules.next_opening(windows_of(db, row.id), now)
    if kind in rules.IN_WINDOWS and opens is not None and not anyway:
        raise Refused(
            Code.CONFLICT,
            f"the Deployment {row.name!r} has maintenance windows, and none is open",
            remedy=f"The next one opens at {opens:%Y-%m-%d %H:%M} UTC. To begin now, ask with `now`: --now.",
            opens_at=opens.isoformat(),
        )


def windows_of(db: Session, deployment: UUID) -> list[Window]:
    found = db.scalar(select(Maintenance.windows).where(Maintenance.deployment_id == deployment))
    return understood(found or [])


MAY_BE_DUE: Final = (
    select(RecurringWork, Maintenance.windows)
    .join(Deployment, Deployment.id == RecurringWork.deployment_id)
    .outerjoin(Maintenance, Maintenance.deployment_id == Deployment.id)
    .where(
        RecurringWork.is_enabled,
        operations.IDLE,
        Deployment.phase == Phase.RUNNING.value,
        or_(RecurringWork.due_at.is_(None), RecurringWork.due_at <= bindparam("now")),
    )
)
"""What `due` looks at closely, for a parameter `now`."""


@dataclass(frozen=True)
class Due:
    """Recurring work whose moment has come, or of which it is not yet written down when it comes."""

    deployment: UUID
    work: UUID
    begins: bool


def due(db: Session, now: datetime, *, only: UUID | None = None) -> list[Due]:
    """Recurring work that shall begin at this moment: over all organizations, or of `only` this Deployment. What a Deployment cannot do
    now stays due. Reads."""
    statement = MAY_BE_DUE if only is None else MAY_BE_DUE.where(Deployment.id == only)
    found = []
    for one, windows in db.execute(statement.order_by(RecurringWork.kind), {"now": now}).all():
        begins = _recurrence(one).is_due(now, understood(windows or []))
        if begins or one.due_at is None:
            found.append(Due(one.deployment_id, one.id, begins))
    return found


def write_down_due(db: Session, one: Due) -> None:
    """When the work comes. Idempotent."""
    work = db.get_one(RecurringWork, one.work)
    work.due_at = _recurrence(work).due_at


def considered(work: RecurringWork, until: datetime) -> None:
    """The moments of its schedule until then have been acted on."""
    work.considered_until = until
    work.due_at = _recurrence(work).due_at


def view(db: Session, row: Deployment, now: datetime) -> messages.MaintenanceView:
    found = db.scalar(select(Maintenance).where(Maintenance.deployment_id == row.id))
    windows = understood(found.windows if found is not None else [])
    return messages.MaintenanceView(
        windows=tuple(
            messages.MaintenanceWindow(opens_at_cron=one.cron, minutes=one.minutes) for one in windows
        ),
        is_open=rules.is_open(windows, now),
        opens_at=rules.next_opening(windows, now),
        clean_up=_recurring_view(db, row, Kind.CLEAN, windows, now),
        backups=_recurring_view(db, row, Kind.BACKUP, windows, now),
        follows=found.follows if found is not None else "",
        followed=found.followed if found is not None else "",
        revision=found.revision if found is not None else 0,
    )


# ---- parts


def _set_followed(change: Change, row: Deployment, found: Maintenance, minor: str) -> list[str]:
    """Before and after, for the audit event. What has failed is begun again, once, where it is asked for anew."""
    if minor:
        try:
            following.require_minor(minor)
        except ValueError as error:
            raise _malformed("follows", error, "Name the minor alone, as in 3.3.") from None
        if code_of(revisions.of(change.db, row)).is_own:
            raise Refused(
                Code.CONFLICT,
                f"the Deployment {row.name!r} has code of its own, with its Airflow in it",
                remedy="It is upgraded by the project: `tradewind project deploy plane --upgrade`.",
            )
    before, found.follows, found.followed = found.follows, minor, ""
    return [before, minor]


def _set_recurring(
    change: Change, row: Deployment, name: str, kind: Kind, ask: messages.RecurringWork | None
) -> list[dict[str, Any] | None]:
    """Before and after, for the audit event."""
    found = _recurring(change.db, row, kind)
    before = None if found is None else _as_asked(found)
    if ask is None:
        if found is not None:
            found.is_enabled = False
        return [before, None]
    try:
        Recurrence(kind, ask.cron, change.now)
    except ValueError as error:
        raise _malformed(f"{name}.cron", error) from None
    if ask.is_enabled:
        _require_known(change.db, row, kind)
    if found is None:
        found = RecurringWork(deployment_id=row.id, kind=kind.value)
        change.db.add(found)
    found.cron, found.keep_days, found.is_enabled = ask.cron, ask.keep_days, ask.is_enabled
    considered(found, change.now)
    return [before, ask.model_dump()]


def _require_known(db: Session, row: Deployment, kind: Kind) -> None:
    """Raises Refused when the driver of the Deployment's cluster has no such operation."""
    if not clusters.has_controller(db, row.cluster_id):
        return
    known = cluster_work.controller(db, row.cluster_id).steps
    if known and kind.value not in known:
        raise Refused(
            Code.CONFLICT,
            f"the cluster of the Deployment {row.name!r} has no operation {kind.value}",
            remedy="Its driver leaves this to the cluster's own means; docs/how-to/run-deployments-on-kubernetes.md names them.",
        )


def _recurring_view(
    db: Session, row: Deployment, kind: Kind, windows: Sequence[Window], now: datetime
) -> messages.RecurringWorkView:
    found = _recurring(db, row, kind)
    last = _last(db, row, kind)
    if found is None:
        return messages.RecurringWorkView(last=last)
    return messages.RecurringWorkView(
        **_as_asked(found),
        next_at=_recurrence(found).next_begin(now, windows) if found.is_enabled else None,
        last=last,
    )


def _last(db: Session, row: Deployment, kind: Kind) -> messages.LastWork | None:
    statement = select(Operation).where(Operation.deployment_id == row.id, Operation.kind == kind.value)
    found = db.scalar(statement.order_by(Operation.id.desc()).limit(1))
    if found is None:
        return None
    fact = found.arguments.get(FACT, {})
    rows = {str(table): int(count) for table, count in fact.get("rows", {}).items()}
    return messages.LastWork(
        operation=found.id,
        state=found.state,
        error=found.error,
        created_at=found.created_at,
        ended_at=found.ended_at,
        rows=sum(rows.values()) if fact else None,
        rows_by_table=rows,
        skipped=fact.get("skipped", {}),
        left_out=tuple(fact.get("left_out", ())),
    )


def _as_asked(row: RecurringWork) -> dict[str, Any]:
    return {"cron": row.cron, "keep_days": row.keep_days, "is_enabled": row.is_enabled}


def _recurrence(row: RecurringWork) -> Recurrence:
    return Recurrence(Kind(row.kind), row.cron, row.considered_until)


def understood(windows: Sequence[dict[str, Any]]) -> list[Window]:
    """Windows as they are kept."""
    return [Window(one["opens_at_cron"], one["minutes"]) for one in windows]


def _require_windows(wanted: Sequence[dict[str, Any]]) -> None:
    """Raises Refused, with the field, for the first that is none."""
    for at, one in enumerate(wanted):
        try:
            Window(one["opens_at_cron"], one["minutes"])
        except ValueError as error:
            raise _malformed(f"windows.{at}.opens_at_cron", error) from None


def _malformed(field: str, error: ValueError, remedy: str = _CRON) -> Refused:
    wrong = [{"where": f"body.{field}", "what": str(error)}]
    return Refused(Code.MALFORMED, str(error), remedy=remedy, errors=wrong)


def _recurring(db: Session, row: Deployment, kind: Kind) -> RecurringWork | None:
    return db.scalar(
        select(RecurringWork).where(RecurringWork.deployment_id == row.id, RecurringWork.kind == kind.value)
    )


def _of(db: Session, row: Deployment) -> Maintenance:
    found = db.scalar(select(Maintenance).where(Maintenance.deployment_id == row.id))
    if found is None:
        found = Maintenance(deployment_id=row.id, windows=[], revision=0)
        db.add(found)
        db.flush()
    return found
