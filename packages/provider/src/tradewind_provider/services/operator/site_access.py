"""Site access, as people see and set it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_provider.domain.dag_access import SiteGrant
from tradewind_provider.services import site_grants
from tradewind_provider.services.operator.pages import PageRequest
from tradewind_provider.store.tables import SiteAccessGrant


def page(db: Session, paging: PageRequest) -> operator.Page[operator.SiteGrantView]:
    """Every grant, by site."""
    found = site_grants.listed(db)
    return operator.Page[operator.SiteGrantView](
        items=tuple(_view(one) for one in paging.of(found)),
        total=len(found),
        limit=paging.limit,
        offset=paging.offset,
    )


def add(db: Session, ask: operator.NewSiteGrant, *, actor: str, now: datetime) -> operator.SiteGrantView:
    """Raises Refused as `services.site_grants.add` does."""
    grant = SiteGrant(ask.site, ask.other, ask.access)
    return _view(site_grants.add(db, grant, actor=actor, reason=ask.reason, now=now))


def _view(row: SiteAccessGrant) -> operator.SiteGrantView:
    return operator.SiteGrantView(
        id=row.id,
        site=row.site,
        other=row.other,
        access=operator.SiteAccess(row.access),
        created_at=row.created_at,
        created_by=row.created_by,
    )
