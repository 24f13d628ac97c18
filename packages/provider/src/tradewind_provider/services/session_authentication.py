"""Which agent a session token belongs to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.domain.agents import SessionEnd
from tradewind_provider.services.agents import Agent, agent_of
from tradewind_provider.services.credential_hashes import hashed
from tradewind_provider.services.token_authentication import require_living
from tradewind_provider.store.tables import AgentSession, AgentToken, FormerTokenValue

_CODES: Final = {
    SessionEnd.FENCED: Code.SESSION_FENCED,
    SessionEnd.TOKEN_DELETED: Code.TOKEN_DELETED,
    SessionEnd.TOKEN_EXPIRED: Code.TOKEN_EXPIRED,
}


def authenticate(db: Session, session_token: str, now: datetime) -> Agent:
    """The agent whose session token this is, with the time until which its credentials are good.

    Raises Refused: TOKEN_MISSING or TOKEN_MALFORMED when it is none, SESSION_UNKNOWN, SESSION_EXPIRED (ended, given
    up as lost, or not renewed in time), SESSION_FENCED (another process is this agent now), TOKEN_DELETED or
    TOKEN_EXPIRED when the agent token that bought the session is not good any more.
    """
    _require_form(session_token)
    presented = hashed(session_token)
    session, token = _found(db, presented)
    _require_open(session)
    ends = [_session_token_end(session, presented, now)]
    if token is None:
        raise Refused(
            Code.TOKEN_DELETED,
            f"the agent token of agent {session.name!r} was deleted",
            remedy="ask for another agent token",
        )
    require_living(token, now)
    if token.expires_at is not None:
        ends.append(token.expires_at)
    if session.bought_with not in (None, token.token_hash):
        ends.append(_former_value_end(db, session, token, now))
    return replace(agent_of(session), good_until=min(ends))


def _require_form(session_token: str) -> None:
    if not session_token:
        raise Refused(
            Code.TOKEN_MISSING, "the request carries no session token", remedy="open a session first"
        )
    if not ids.has_form_of(session_token, ids.SESSION_TOKEN_PREFIX):
        raise Refused(
            Code.TOKEN_MALFORMED,
            "the bearer token is not a session token of Tradewind",
            remedy=f"open a session with an agent token; session tokens begin with {ids.SESSION_TOKEN_PREFIX}",
        )


def _found(db: Session, presented: str) -> tuple[AgentSession, AgentToken | None]:
    """The session, and the agent token it was bought with. One statement: each request of an agent asks it."""
    found = db.execute(
        select(AgentSession, AgentToken)
        .join(AgentToken, AgentToken.id == AgentSession.token_id, isouter=True)
        .where(or_(AgentSession.token_hash == presented, AgentSession.previous_hash == presented))
    ).first()
    if found is None:
        raise Refused(Code.SESSION_UNKNOWN, "no session has this token", remedy="open a new session")
    session, token = found
    return session, token


def _require_open(session: AgentSession) -> None:
    if session.ended_at is None:
        return
    end = SessionEnd(session.ended_how)
    raise Refused(
        _CODES.get(end, Code.SESSION_EXPIRED),
        f"the session of agent {session.name!r} has ended: it {session.ended_reason}",
        remedy="ask for another agent token" if end in _CODES and end is not SessionEnd.FENCED else "",
    )


def _session_token_end(session: AgentSession, presented: str, now: datetime) -> datetime:
    expires = session.token_expires_at if session.token_hash == presented else session.previous_expires_at
    if expires is None or expires <= now:
        raise Refused(
            Code.SESSION_EXPIRED,
            f"the session token of agent {session.name!r} is too old",
            remedy="open a new session; polls renew the token in passing",
        )
    return expires


def _former_value_end(db: Session, session: AgentSession, token: AgentToken, now: datetime) -> datetime:
    """Until when the former value that bought the session is good."""
    former = db.get(FormerTokenValue, session.bought_with)
    if former is None or former.good_until <= now:
        raise Refused(
            Code.TOKEN_EXPIRED,
            f"agent {session.name!r} opened its session with a value of the agent token {token.name!r} that was "
            "replaced and is not good any more",
            remedy="give the agent the token's present value",
            token=token.name,
        )
    return former.good_until
