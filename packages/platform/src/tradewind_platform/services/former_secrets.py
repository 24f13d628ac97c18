"""Values that secret environment variables had: log lines of before have them, and are shown without."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, delete, select
from sqlalchemy.orm import Session

from tradewind_platform.domain import component_logs as rules
from tradewind_platform.domain.ids import new_id
from tradewind_platform.security.at_rest import row_of
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.store.life_tables import EnvironmentVariable, FormerSecret

OVER: Final = select(FormerSecret.id).where(FormerSecret.keep_until <= bindparam("now"))
"""Those that are to be erased, for a parameter `now`."""


def keep(
    db: Session, ring: KeyRing, was: EnvironmentVariable, *, now: datetime, unless: str | None = None
) -> None:
    """Keep the value of a variable that is about to be removed, or to have another one: `unless` it is this one. Encrypted, for
    `FORMER_KEPT`. Of what is no secret nothing is kept."""
    if not was.is_secret:
        return
    value = ring.decrypt(was.value, row=row_of(EnvironmentVariable, was.id, "value"))
    if value == unless or not rules.can_be_masked(value):
        return
    before = select(FormerSecret).where(FormerSecret.scope_id == was.scope_id, FormerSecret.key == was.key)
    for oldest in db.scalars(before.order_by(FormerSecret.id.desc()).offset(rules.MOST_FORMER - 1)).all():
        db.delete(oldest)
    id = new_id()
    made = FormerSecret(
        id=id,
        scope_id=was.scope_id,
        key=was.key,
        value=ring.encrypt(value, row=row_of(FormerSecret, id, "value")),
        keep_until=now + rules.FORMER_KEPT,
    )
    db.add(made)
    db.flush()


def of(db: Session, ring: KeyRing, scopes: Collection[UUID]) -> list[str]:
    """The values that variables of these clusters, workspaces and Deployments had."""
    rows = db.scalars(select(FormerSecret).where(FormerSecret.scope_id.in_(scopes)))
    return [ring.decrypt(row.value, row=row_of(FormerSecret, row.id, "value")) for row in rows]


def erase_those_over(db: Session, now: datetime) -> None:
    """Over all organizations. Idempotent."""
    db.execute(delete(FormerSecret).where(FormerSecret.keep_until <= now))
