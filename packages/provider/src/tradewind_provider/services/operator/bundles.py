"""Dag bundles as people see them: which site each one is of, and which agent leads it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_protocol import errors, operator
from tradewind_provider.services.dags import bundles as claims
from tradewind_provider.services.operator.pages import PageRequest
from tradewind_provider.store.dag_tables import DagBundle, DagFile
from tradewind_provider.store.tables import AgentToken


def page(db: Session, paging: PageRequest) -> operator.Page[operator.BundleView]:
    """Every bundle that some site has claimed, by name."""
    total = db.scalar(select(func.count()).select_from(DagBundle)) or 0
    shown = db.scalars(
        select(DagBundle).order_by(DagBundle.name).limit(paging.limit).offset(paging.offset)
    ).all()
    names = [one.name for one in shown]
    tokens = {
        token.id: token.name
        for token in db.scalars(select(AgentToken).where(AgentToken.id.in_({one.token_id for one in shown})))
    }
    held = {
        bundle: (files, live, at)
        for bundle, files, live, at in db.execute(
            select(DagFile.bundle, func.count(), func.sum(DagFile.live), func.max(DagFile.stored_at))
            .where(DagFile.bundle.in_(names))
            .group_by(DagFile.bundle)
        )
    }
    items = tuple(_view(one, tokens.get(one.token_id, ""), held.get(one.name)) for one in shown)
    return operator.Page[operator.BundleView](
        items=items, total=total, limit=paging.limit, offset=paging.offset
    )


def release(db: Session, name: str, *, actor: str, reason: str, now: datetime) -> None:
    """Take a bundle from the site that has it. Raises Refused NOT_FOUND when no site has it, and CONFLICT when it is in
    the plane's configuration."""
    if not claims.release(db, name, actor=actor, reason=reason, now=now):
        raise errors.Refused(
            errors.Code.NOT_FOUND,
            f"neither a site nor the plane has a bundle {name!r}",
            remedy="GET /bundles (`tradewind bundles list`) names those that a site or the plane has",
        )


def _view(one: DagBundle, token: str, held: tuple[int, int, datetime] | None) -> operator.BundleView:
    files, live, at = held or (0, 0, None)
    return operator.BundleView(
        name=one.name,
        site=one.site,
        agent=one.agent_name,
        token=token,
        spoken_for=one.session_id is not None,
        claimed_at=one.claimed_at,
        files=files,
        dags=live or 0,
        stored_at=at,
    )
