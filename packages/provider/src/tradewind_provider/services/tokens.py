"""Agent tokens: the credential that buys sessions. Shown once, kept as a hash, good for one Deployment."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.domain.agents import End
from tradewind_provider.services import audit, endings
from tradewind_provider.services.hashing import hashed
from tradewind_provider.store.tables import AgentSession, AgentToken

SHORTEST_DAYS, LONGEST_DAYS = 1, 3650


@dataclass(frozen=True)
class Created:
    """A new token; `secret` is nowhere else and cannot be had again."""

    token: AgentToken
    secret: str = field(repr=False)


def create(
    db: Session,
    *,
    name: str,
    description: str = "",
    expires_in_days: int | None,
    created_by: str,
    now: datetime,
    limit: int,
) -> Created:
    """Make a token that expires after so many days, or never (None).

    Raises Refused MALFORMED (no name, days out of 1 to 3650), CONFLICT (a living token has that name), LIMIT_REACHED.
    """
    name = name.strip()
    if not name or len(name) > 250:
        raise Refused(Code.MALFORMED, "a token needs a name of 1 to 250 characters")
    if expires_in_days is not None and not SHORTEST_DAYS <= expires_in_days <= LONGEST_DAYS:
        raise Refused(
            Code.MALFORMED,
            f"a token cannot expire in {expires_in_days} days",
            remedy=f"choose {SHORTEST_DAYS} to {LONGEST_DAYS} days, or never",
        )
    living = select(AgentToken).where(AgentToken.deleted_at.is_(None))
    if db.scalar(living.where(AgentToken.name == name).limit(1)) is not None:
        raise Refused(Code.CONFLICT, f"there is a token named {name!r} already", remedy="choose another name")
    if (db.scalar(select(func.count()).select_from(living.subquery())) or 0) >= limit:
        raise Refused(
            Code.LIMIT_REACHED,
            f"this Deployment has {limit} agent tokens, as many as [tradewind] tokens_limit allows",
            remedy="delete one that is not used any more, or raise the limit",
        )
    secret = ids.new_secret(ids.AGENT_TOKEN_PREFIX)
    token = AgentToken(
        id=uuid4(),
        name=name,
        description=description,
        token_hash=hashed(secret),
        shown=ids.shown(secret),
        created_at=now,
        created_by=created_by,
        expires_at=None if expires_in_days is None else now + timedelta(days=expires_in_days),
    )
    db.add(token)
    audit.record(
        db,
        action="token_created",
        actor=created_by,
        subject=f"token:{name}",
        now=now,
        detail={"token_id": str(token.id), "expires_in_days": expires_in_days},
    )
    db.flush()
    return Created(token, secret)


def listed(db: Session) -> Sequence[AgentToken]:
    """Every token that was not deleted, by name."""
    return db.scalars(
        select(AgentToken).where(AgentToken.deleted_at.is_(None)).order_by(AgentToken.name)
    ).all()


def get(db: Session, token_id: UUID) -> AgentToken:
    """One token, deleted or not. Raises Refused NOT_FOUND."""
    token = db.get(AgentToken, token_id)
    if token is None:
        raise Refused(Code.NOT_FOUND, f"there is no agent token {token_id}")
    return token


def delete(db: Session, token_id: UUID, *, deleted_by: str, reason: str = "", now: datetime) -> AgentToken:
    """Make a token worthless and end every session it bought; their agents are refused within seconds. Idempotent.

    Raises Refused NOT_FOUND.
    """
    token = get(db, token_id)
    if token.deleted_at is not None:
        return token
    token.deleted_at, token.deleted_by = now, deleted_by
    audit.record(
        db,
        action="token_deleted",
        actor=deleted_by,
        subject=f"token:{token.name}",
        reason=reason,
        now=now,
        detail={"token_id": str(token.id)},
    )
    db.flush()
    bought = select(AgentSession).where(AgentSession.token_id == token.id, AgentSession.ended_at.is_(None))
    for session in db.scalars(bought).all():
        endings.end(
            db,
            session,
            how=End.TOKEN_DELETED,
            reason=f"its agent token {token.name!r} was deleted by {deleted_by}",
            now=now,
        )
    return token


def use(db: Session, presented: str, *, now: datetime) -> AgentToken:
    """The token somebody presents to open a session.

    Raises Refused TOKEN_MISSING, TOKEN_MALFORMED, TOKEN_UNKNOWN, TOKEN_DELETED or TOKEN_EXPIRED.
    """
    if not presented:
        raise Refused(Code.TOKEN_MISSING, "no agent token was sent", remedy="give the agent its token")
    if not ids.has_form_of(presented, ids.AGENT_TOKEN_PREFIX):
        raise Refused(
            Code.TOKEN_MALFORMED,
            "what was sent is not an agent token",
            remedy=f"agent tokens begin with {ids.AGENT_TOKEN_PREFIX} and have 43 characters more; was it cut?",
        )
    digest = hashed(presented)
    token = db.scalar(select(AgentToken).where(AgentToken.token_hash == digest))
    if token is None or not hmac.compare_digest(token.token_hash, digest):
        raise Refused(
            Code.TOKEN_UNKNOWN,
            f"this Deployment knows no agent token {ids.shown(presented)}",
            remedy="check that the URL is that of the Deployment the token was made in",
        )
    if token.deleted_at is not None:
        raise Refused(
            Code.TOKEN_DELETED,
            f"the agent token {token.name!r} was deleted at {token.deleted_at:%Y-%m-%d %H:%M} UTC",
            remedy="ask for another agent token",
        )
    if token.expires_at is not None and token.expires_at <= now:
        raise Refused(
            Code.TOKEN_EXPIRED,
            f"the agent token {token.name!r} expired at {token.expires_at:%Y-%m-%d %H:%M} UTC",
            remedy="ask for another agent token",
        )
    token.last_used_at = now
    return token
