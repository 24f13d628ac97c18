"""Agent tokens that expire soon while agents use them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from tradewind_protocol.access import ExpiringToken
from tradewind_provider.store.tables import AgentSession, AgentToken, FormerTokenValue

AHEAD: Final = timedelta(days=30)
"""So long before its end a token is reported."""
AFTER: Final = timedelta(days=1)
"""So long after its end it is reported."""
USED_WITHIN: Final = timedelta(days=2)
"""A token that has opened a session so lately is in use, also while no session of it is open."""
_MOST: Final = 20


def expiring(db: Session, *, now: datetime) -> tuple[ExpiringToken, ...]:
    """Those that end first, first. A token that no agent uses is none of them, nor one that was deleted."""
    rows = db.execute(_statement(now)).all()
    return tuple(
        ExpiringToken(name=name, issued_at=replaced_at or created_at, expires_at=expires_at)
        for name, created_at, replaced_at, expires_at in rows
    )


def _statement(now: datetime) -> Any:
    replaced = (
        select(func.max(FormerTokenValue.replaced_at))
        .where(FormerTokenValue.token_id == AgentToken.id)
        .scalar_subquery()
    )
    in_use = exists().where(AgentSession.token_id == AgentToken.id, AgentSession.ended_at.is_(None))
    return (
        select(AgentToken.name, AgentToken.created_at, replaced, AgentToken.expires_at)
        .where(
            AgentToken.deleted_at.is_(None),
            AgentToken.expires_at > now - AFTER,
            AgentToken.expires_at <= now + AHEAD,
            or_(AgentToken.last_used_at > now - USED_WITHIN, in_use),
        )
        .order_by(AgentToken.expires_at, AgentToken.name)
        .limit(_MOST)
    )
