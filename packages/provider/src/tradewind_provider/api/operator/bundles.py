"""Dag bundles of sites."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from tradewind_protocol import operator
from tradewind_provider.api import transactions
from tradewind_provider.api.operator.access import Now, Part, Reader, SiteAdministrator
from tradewind_provider.services.operator import bundles

router = APIRouter(prefix="/bundles", tags=["Dag bundles"])

BundleName = Annotated[str, Path(min_length=1, max_length=250, pattern=r"^[^\x00-\x1f]+$")]


@router.get("", summary="List Dag bundles")
def list_(caller: Reader, part: Part) -> operator.Page[operator.BundleView]:
    """Every bundle that some site has claimed: which site owns it, which agent is its leader, and how much the plane has of it."""
    return transactions.in_transaction(lambda db: bundles.page(db, part))


@router.post("/{name:path}/release", status_code=204, summary="Take a Dag bundle from its site")
def release(name: BundleName, ask: operator.Reason, caller: SiteAdministrator, now: Now) -> None:
    """Its Dags go stale, and the next site that claims it has it. That may be the same site within seconds, as long as
    an agent of that site is configured with the bundle."""
    transactions.in_transaction(
        lambda db: bundles.release(db, name, actor=caller.name, reason=ask.reason, now=now)
    )
