"""Tokens that people make for agents, scalers and sentinels. Shown once, kept as a hash, good for one Deployment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_protocol import ids, sites
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.ids import TokenKind
from tradewind_provider.domain.agents import SessionEnd
from tradewind_provider.services import audit, deployment, session_termination
from tradewind_provider.services.credential_hashes import hashed
from tradewind_provider.store.tables import AgentSession, AgentToken, FormerTokenValue

SHORTEST_DAYS, LONGEST_DAYS = 1, 3650


@dataclass(frozen=True)
class CreatedToken:
    """A new token; `secret` is nowhere else and cannot be had again."""

    token: AgentToken
    secret: str = field(repr=False)


def create(
    db: Session,
    *,
    name: str,
    site: str = sites.DEFAULT,
    kind: TokenKind = TokenKind.AGENT,
    description: str = "",
    expires_in_days: int | None,
    created_by: str,
    now: datetime,
    limit: int,
) -> CreatedToken:
    """Make a token that expires after so many days, or never (None).

    Raises Refused MALFORMED (no name, days out of 1 to 3650), CONFLICT (a living token has that name), LIMIT_REACHED.
    """
    name = name.strip()
    _require_name_and_days(name, expires_in_days)
    _require_free(db, name, limit)
    secret = ids.new_secret(kind.prefix, mark=deployment.mark(db, now=now))
    token = AgentToken(
        id=uuid4(),
        name=name,
        site=site,
        kind=kind.value,
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
        detail={
            "token_id": str(token.id),
            "site": site,
            "kind": kind.value,
            "expires_in_days": expires_in_days,
        },
    )
    db.flush()
    return CreatedToken(token, secret)


def _require_name_and_days(name: str, expires_in_days: int | None) -> None:
    if not name or len(name) > 250:
        raise Refused(Code.MALFORMED, "a token needs a name of 1 to 250 characters")
    if expires_in_days is not None and not SHORTEST_DAYS <= expires_in_days <= LONGEST_DAYS:
        raise Refused(
            Code.MALFORMED,
            f"a token cannot expire in {expires_in_days} days",
            remedy=f"choose {SHORTEST_DAYS} to {LONGEST_DAYS} days, or never",
        )


def _require_free(db: Session, name: str, limit: int) -> None:
    living = select(AgentToken).where(AgentToken.deleted_at.is_(None))
    if db.scalar(living.where(AgentToken.name == name).limit(1)) is not None:
        raise Refused(Code.CONFLICT, f"there is a token named {name!r} already", remedy="choose another name")
    if (db.scalar(select(func.count()).select_from(living.subquery())) or 0) >= limit:
        raise Refused(
            Code.LIMIT_REACHED,
            f"this Deployment has {limit} agent tokens, as many as [tradewind] tokens_limit allows",
            remedy="delete one that is not used any more, or raise the limit",
        )


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
        detail={"token_id": str(token.id), "site": token.site},
    )
    db.flush()
    bought = select(AgentSession).where(AgentSession.token_id == token.id, AgentSession.ended_at.is_(None))
    for session in db.scalars(bought).all():
        session_termination.end(
            db,
            session,
            how=SessionEnd.TOKEN_DELETED,
            reason=f"its agent token {token.name!r} was deleted by {deleted_by}",
            now=now,
        )
    return token


def rotate(
    db: Session,
    token_id: UUID,
    *,
    overlap: timedelta,
    expires_in_days: int | None = None,
    rotated_by: str,
    reason: str = "",
    now: datetime,
) -> CreatedToken:
    """Give a token another value. The one it has stays good for `overlap`, for opening sessions and for the sessions it
    opened; without any overlap those end at once. Values replaced before keep the time they were given.

    Raises Refused NOT_FOUND, for a deleted one as well, and CONFLICT for an expired one that is not given more days.
    """
    token = db.get(AgentToken, token_id, with_for_update=True)
    if token is None or token.deleted_at is not None:
        raise Refused(Code.NOT_FOUND, f"there is no agent token {token_id}")
    if expires_in_days is None and token.expires_at is not None and token.expires_at <= now:
        raise Refused(
            Code.CONFLICT,
            f"the agent token {token.name!r} expired at {token.expires_at:%Y-%m-%d %H:%M} UTC: a new value would be "
            "worth nothing",
            remedy="say in how many days it shall expire",
        )
    former = FormerTokenValue(
        token_hash=token.token_hash,
        token_id=token.id,
        shown=token.shown,
        replaced_at=now,
        replaced_by=rotated_by,
        good_until=now + overlap,
    )
    db.add(former)
    secret = ids.new_secret(TokenKind(token.kind).prefix, mark=deployment.mark(db, now=now))
    token.token_hash, token.shown = hashed(secret), ids.shown(secret)
    if expires_in_days is not None:
        token.expires_at = now + timedelta(days=expires_in_days)
    audit.record(
        db,
        action="token_rotated",
        actor=rotated_by,
        subject=f"token:{token.name}",
        reason=reason,
        now=now,
        detail={
            "token_id": str(token.id),
            "site": token.site,
            "former": former.shown,
            "former_good_until": former.good_until.isoformat(),
            "expires_in_days": expires_in_days,
        },
    )
    db.flush()
    if not overlap:
        end_expired(db, now=now)
    return CreatedToken(token, secret)


def former_values(db: Session, token_ids: Sequence[UUID]) -> dict[UUID, list[FormerTokenValue]]:
    """Token → the values it had, the last one replaced first."""
    found: dict[UUID, list[FormerTokenValue]] = {}
    rows = db.scalars(
        select(FormerTokenValue)
        .where(FormerTokenValue.token_id.in_(token_ids))
        .order_by(FormerTokenValue.replaced_at.desc())
    )
    for row in rows:
        found.setdefault(row.token_id, []).append(row)
    return found


def end_expired(db: Session, *, now: datetime) -> int:
    """End sessions whose agent token has expired, or was rotated and the value they were bought with is not good any
    more. Returns how many."""
    live = AgentSession.ended_at.is_(None)
    expired = db.execute(
        select(AgentSession, AgentToken)
        .join(AgentToken, AgentToken.id == AgentSession.token_id)
        .where(live, AgentToken.deleted_at.is_(None), AgentToken.expires_at <= now)
    ).all()
    ended = 0
    for session, token in expired:
        ended += session_termination.end(
            db, session, how=SessionEnd.TOKEN_EXPIRED, reason=_expired(token), now=now
        )
    replaced = db.execute(
        select(AgentSession, AgentToken, FormerTokenValue)
        .join(AgentToken, AgentToken.id == AgentSession.token_id)
        .join(FormerTokenValue, FormerTokenValue.token_hash == AgentSession.bought_with)
        .where(live, FormerTokenValue.good_until <= now)
    ).all()
    for session, token, former in replaced:
        reason = f"shows a value of {replacement_of(token, former)}"
        ended += session_termination.end(db, session, how=SessionEnd.TOKEN_EXPIRED, reason=reason, now=now)
    return ended


def replacement_of(token: AgentToken, former: FormerTokenValue) -> str:
    """The token, and by whom and when a value it had was replaced: the end of a sentence."""
    return (
        f"the agent token {token.name!r} that {former.replaced_by} replaced at "
        f"{former.replaced_at:%Y-%m-%d %H:%M} UTC and that was good until {former.good_until:%Y-%m-%d %H:%M} UTC"
    )


def _expired(token: AgentToken) -> str:
    return f"came with the agent token {token.name!r}, which expired at {token.expires_at:%Y-%m-%d %H:%M} UTC"
