"""Agent tokens as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from tradewind_protocol import errors, operator
from tradewind_protocol.ids import TokenKind
from tradewind_provider.services import tokens
from tradewind_provider.services.operator.pages import PageRequest
from tradewind_provider.store.tables import AgentToken, FormerTokenValue


def create(
    db: Session, ask: operator.NewToken, *, actor: str, now: datetime, limit: int
) -> operator.TokenCreated:
    """A new token with its value, which is nowhere else. Raises Refused as `services.tokens.create` does."""
    made = tokens.create(
        db,
        name=ask.name,
        site=ask.site,
        kind=ask.kind,
        description=ask.description,
        expires_in_days=ask.expires_in_days,
        created_by=actor,
        now=now,
        limit=limit,
    )
    return operator.TokenCreated(**view(made.token, (), now=now).model_dump(), token=made.secret)


def page(
    db: Session, paging: PageRequest, *, now: datetime, name: str | None = None
) -> operator.Page[operator.TokenView]:
    """The tokens that are not deleted, by name."""
    found = [one for one in tokens.listed(db) if name is None or one.name == name]
    shown = paging.of(found)
    former = tokens.former_values(db, [one.id for one in shown])
    return operator.Page[operator.TokenView](
        items=tuple(view(one, former.get(one.id, ()), now=now) for one in shown),
        total=len(found),
        limit=paging.limit,
        offset=paging.offset,
    )


def get(db: Session, token_id: UUID, *, now: datetime) -> operator.TokenView:
    """One token. Raises Refused NOT_FOUND, for a deleted one as well."""
    token = tokens.get(db, token_id)
    if token.deleted_at is not None:
        raise errors.Refused(
            errors.Code.NOT_FOUND, f"agent token {token.name!r} was deleted by {token.deleted_by}"
        )
    return view(token, tokens.former_values(db, [token.id]).get(token.id, ()), now=now)


def rotate(
    db: Session, token_id: UUID, ask: operator.RotateToken, *, actor: str, now: datetime
) -> operator.TokenCreated:
    """Another value for a token. Raises Refused as `services.tokens.rotate` does."""
    made = tokens.rotate(
        db,
        token_id,
        overlap=timedelta(hours=ask.overlap_hours),
        expires_in_days=ask.expires_in_days,
        rotated_by=actor,
        reason=ask.reason,
        now=now,
    )
    return operator.TokenCreated(**get(db, token_id, now=now).model_dump(), token=made.secret)


def delete(db: Session, token_id: UUID, *, actor: str, reason: str, now: datetime) -> None:
    """Make a token worthless and end its sessions. Idempotent. Raises Refused NOT_FOUND."""
    tokens.delete(db, token_id, deleted_by=actor, reason=reason, now=now)


def view(token: AgentToken, former: Sequence[FormerTokenValue], *, now: datetime) -> operator.TokenView:
    """One token for people. `former`: the values it had, the last one replaced first."""
    good = [one.good_until for one in former if one.good_until > now]
    return operator.TokenView(
        id=token.id,
        name=token.name,
        site=token.site,
        kind=TokenKind(token.kind),
        description=token.description,
        prefix=token.shown,
        created_at=token.created_at,
        created_by=token.created_by,
        expires_at=token.expires_at,
        last_used_at=token.last_used_at,
        rotated_at=former[0].replaced_at if former else None,
        old_values_until=max(good, default=None),
    )
