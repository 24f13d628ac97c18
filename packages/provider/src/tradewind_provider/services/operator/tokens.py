"""Agent tokens as people see them."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from tradewind_protocol import errors, operator
from tradewind_provider.services import tokens
from tradewind_provider.services.operator.paging import Paging
from tradewind_provider.store.tables import AgentToken


def create(
    db: Session, ask: operator.NewToken, *, actor: str, now: datetime, limit: int
) -> operator.TokenCreated:
    """A new token with its value, which is nowhere else. Raises Refused as `services.tokens.create` does."""
    made = tokens.create(
        db,
        name=ask.name,
        description=ask.description,
        expires_in_days=ask.expires_in_days,
        created_by=actor,
        now=now,
        limit=limit,
    )
    return operator.TokenCreated(**view(made.token).model_dump(), token=made.secret)


def page(db: Session, paging: Paging, *, name: str | None = None) -> operator.Page[operator.TokenView]:
    """The tokens that are not deleted, by name."""
    found = [view(one) for one in tokens.listed(db) if name is None or one.name == name]
    return operator.Page[operator.TokenView](
        items=tuple(paging.of(found)), total=len(found), limit=paging.limit, offset=paging.offset
    )


def get(db: Session, token_id: UUID) -> operator.TokenView:
    """One token. Raises Refused NOT_FOUND, for a deleted one as well."""
    token = tokens.get(db, token_id)
    if token.deleted_at is not None:
        raise errors.Refused(
            errors.Code.NOT_FOUND, f"agent token {token.name!r} was deleted by {token.deleted_by}"
        )
    return view(token)


def delete(db: Session, token_id: UUID, *, actor: str, reason: str, now: datetime) -> None:
    """Make a token worthless and end its sessions. Idempotent. Raises Refused NOT_FOUND."""
    tokens.delete(db, token_id, deleted_by=actor, reason=reason, now=now)


def view(token: AgentToken) -> operator.TokenView:
    """One token for people."""
    return operator.TokenView(
        id=token.id,
        name=token.name,
        description=token.description,
        prefix=token.shown,
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
    )
