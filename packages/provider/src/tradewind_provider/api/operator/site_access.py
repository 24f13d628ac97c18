"""What sites may do with Dags of other sites."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter

from tradewind_protocol import operator
from tradewind_provider.api import transactions
from tradewind_provider.api.operator.access import Now, Part, SiteAccessReader, SiteAdministrator, Why
from tradewind_provider.services import site_grants
from tradewind_provider.services.operator import site_access

router = APIRouter(prefix="/site-access", tags=["Site access"])


@router.get("", summary="List site access")
def list_(caller: SiteAccessReader, part: Part) -> operator.Page[operator.SiteGrantView]:
    """Every grant, by site. A site may do with another site's Dags only what a grant allows."""
    return transactions.in_transaction(lambda db: site_access.page(db, part))


@router.post("", status_code=201, summary="Let a site use Dags of another site")
def add(ask: operator.NewSiteGrant, caller: SiteAdministrator, now: Now) -> operator.SiteGrantView:
    """In force on every API server within two seconds. Idempotent."""
    return transactions.in_transaction(lambda db: site_access.add(db, ask, actor=caller.name, now=now))


@router.delete("/{grant_id}", status_code=204, summary="Remove a grant")
def remove(grant_id: UUID, caller: SiteAdministrator, now: Now, reason: Why = "") -> None:
    """In force on every API server within two seconds. Idempotent."""
    transactions.in_transaction(
        lambda db: site_grants.remove(db, grant_id, actor=caller.name, reason=reason, now=now)
    )
