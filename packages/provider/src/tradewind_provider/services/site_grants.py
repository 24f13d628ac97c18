"""What sites may do with Dags of other sites: a table that administrators fill. Without a row, nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.operator import SiteAccess
from tradewind_provider.domain.dag_access import ANY_SITE, SiteGrant
from tradewind_provider.services import audit
from tradewind_provider.store.tables import SiteAccessGrant

MOST: Final = 1_000
"""Rows of the table."""


def allow(db: Session, site: str, owner: str | None, access: SiteAccess) -> bool:
    """Whether a grant lets agents of `site` do that with Dags of `owner` (None: Dags of no site). Reads the table, so a
    change counts for the next question; an API server asks again for a Dag after two seconds."""
    rows = db.scalars(
        select(SiteAccessGrant).where(
            SiteAccessGrant.site == site, SiteAccessGrant.other.in_([ANY_SITE, *([owner] if owner else [])])
        )
    )
    return any(grant_of(one).allows(site, owner, access) for one in rows)


def remedy(site: str, owner: str | None, access: SiteAccess) -> str:
    """What an administrator does so that it is allowed."""
    return (
        "an administrator of the plane allows it: "
        f"tradewind site-access add {site} {access.value} {owner or repr(ANY_SITE)}"
    )


def grant_of(row: SiteAccessGrant) -> SiteGrant:
    return SiteGrant(row.site, row.other, SiteAccess(row.access))


def listed(db: Session) -> Sequence[SiteAccessGrant]:
    """Every grant, by site."""
    order = (SiteAccessGrant.site, SiteAccessGrant.other, SiteAccessGrant.access)
    return db.scalars(select(SiteAccessGrant).order_by(*order)).all()


def add(db: Session, grant: SiteGrant, *, actor: str, reason: str, now: datetime) -> SiteAccessGrant:
    """Allow it. One that is there already is returned as it is. Raises Refused MALFORMED for a site's own
    Dags, CONFLICT when the table is full."""
    if grant.site == grant.other:
        raise Refused(
            Code.MALFORMED, f"agents of site {grant.site!r} reach the Dags of their own site already"
        )
    rows = listed(db)
    for row in rows:
        if grant_of(row) == grant:
            return row
    if len(rows) >= MOST:
        raise Refused(Code.CONFLICT, f"there are {MOST} grants already", remedy="remove some of them")
    made = SiteAccessGrant(
        id=uuid4(),
        site=grant.site,
        other=grant.other,
        access=grant.access.value,
        created_at=now,
        created_by=actor,
    )
    db.add(made)
    _record(db, "site_access_granted", made, actor=actor, reason=reason, now=now)
    db.flush()
    return made


def remove(db: Session, grant_id: UUID, *, actor: str, reason: str, now: datetime) -> None:
    """Allow it no more. Idempotent."""
    row = db.get(SiteAccessGrant, grant_id)
    if row is None:
        return
    _record(db, "site_access_removed", row, actor=actor, reason=reason, now=now)
    db.delete(row)
    db.flush()


def _record(
    db: Session, action: str, row: SiteAccessGrant, *, actor: str, reason: str, now: datetime
) -> None:
    audit.record(
        db,
        action=action,
        actor=actor,
        subject=f"site:{row.site}",
        reason=reason,
        now=now,
        detail={"site": row.site, "access": row.access, "other": row.other},
    )
