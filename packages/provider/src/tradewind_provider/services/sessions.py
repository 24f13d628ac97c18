"""Sessions of agents: who somebody is, by the session token they show."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component
from tradewind_provider.domain.agents import End
from tradewind_provider.store.tables import AgentSession, AgentToken


@dataclass(frozen=True)
class Agent:
    """Who asks: an agent with a live session."""

    session_id: UUID
    agent_id: UUID
    name: str
    components: frozenset[Component]
    policy: Policy
    token_id: UUID
    instance: UUID
    bundles: tuple[str, ...]
    trigger_capacity: int

    def require(self, component: Component) -> None:
        """Raises Refused COMPONENT_NOT_YOURS when this agent's session was not opened for `component`."""
        if component not in self.components:
            raise Refused(
                Code.COMPONENT_NOT_YOURS,
                f"agent {self.name!r} did not open its session as a {component.value}",
                remedy=f"add {component.value} to the agent's components and restart it",
            )


def hashed(token: str) -> str:
    """What the plane keeps of a credential: SHA-256, in hexadecimal. 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


_ENDED = {
    End.FENCED: Code.SESSION_FENCED,
    End.TOKEN_DELETED: Code.TOKEN_DELETED,
    End.TOKEN_EXPIRED: Code.TOKEN_EXPIRED,
}


def authenticate(db: Session, session_token: str, now: datetime) -> Agent:
    """The agent whose session token this is.

    Raises Refused: TOKEN_MISSING or TOKEN_MALFORMED when it is none, SESSION_UNKNOWN, SESSION_EXPIRED (ended, given
    up as lost, or not renewed in time), SESSION_FENCED (another process is this agent now), TOKEN_DELETED or
    TOKEN_EXPIRED when the agent token that bought the session is not good any more.
    """
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
    presented = hashed(session_token)
    found = db.execute(
        select(AgentSession, AgentToken)
        .join(AgentToken, AgentToken.id == AgentSession.token_id, isouter=True)
        .where(or_(AgentSession.token_hash == presented, AgentSession.previous_hash == presented))
    ).first()
    if found is None:
        raise Refused(Code.SESSION_UNKNOWN, "no session has this token", remedy="open a new session")
    session, token = found
    if session.ended_at is not None:
        end = End(session.ended_how)
        raise Refused(
            _ENDED.get(end, Code.SESSION_EXPIRED),
            f"the session of agent {session.name!r} has ended: {session.ended_reason}",
            remedy="ask for another agent token" if end in _ENDED and end is not End.FENCED else "",
        )
    expires = session.token_expires_at if session.token_hash == presented else session.previous_expires_at
    if expires is None or expires <= now:
        raise Refused(
            Code.SESSION_EXPIRED,
            f"the session token of agent {session.name!r} is too old",
            remedy="open a new session; polls renew the token in passing",
        )
    if token is None or token.deleted_at is not None:
        raise Refused(
            Code.TOKEN_DELETED,
            f"the agent token of agent {session.name!r} was deleted",
            remedy="ask for another agent token",
        )
    if token.expires_at is not None and token.expires_at <= now:
        raise Refused(
            Code.TOKEN_EXPIRED,
            f"the agent token {token.name!r} expired at {token.expires_at:%Y-%m-%d %H:%M} UTC",
            remedy="ask for another agent token",
        )
    return agent_of(session)


def agent_of(session: AgentSession) -> Agent:
    """The agent of a session's row."""
    return Agent(
        session_id=session.id,
        agent_id=session.agent_id,
        name=session.name,
        components=frozenset(Component(one) for one in session.components),
        policy=Policy(session.policy),
        token_id=session.token_id,
        instance=session.instance,
        bundles=tuple(session.bundles),
        trigger_capacity=session.trigger_capacity,
    )
