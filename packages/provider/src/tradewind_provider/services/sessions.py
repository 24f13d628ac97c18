"""Sessions of agents: opening, renewing and ending them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.sessions import OpenSession, Policy
from tradewind_protocol.states import AttemptState
from tradewind_provider import notifications
from tradewind_provider.domain.agents import SessionEnd
from tradewind_provider.services import (
    audit,
    client_address,
    command_carry_over,
    session_termination,
    storages,
)
from tradewind_provider.services.agents import Agent, agent_of
from tradewind_provider.services.credential_hashes import hashed
from tradewind_provider.settings import DEFAULT_LIMITS, STRICT_FOR_ALL, Policies, SessionLimits
from tradewind_provider.store.tables import AgentSession, AgentToken, Attempt


@dataclass(frozen=True)
class OpenedSession:
    """A session, and the token that goes with it; only its hash is kept."""

    agent: Agent
    session_token: str = field(repr=False)


def open_session(
    db: Session,
    ask: OpenSession,
    token: AgentToken,
    *,
    now: datetime,
    lasts: float,
    policies: Policies = STRICT_FOR_ALL,
    bought_with: str | None = None,
    limits: SessionLimits = DEFAULT_LIMITS,
) -> OpenedSession:
    """Open a session bought with `token`, its token good for `lasts` seconds. `bought_with`: hash of the value shown.

    The same `instance` asking again gets the same session and a fresh token. Another session of the same agent_id is
    fenced at once: its offers go elsewhere, what it ran is reported lost, but for what `ask.unreported` names: that ended,
    its outcome is on the agent's disk and comes with the new session. The policy is the stricter of what the site asks
    for and what the Deployment allows it.

    Raises Refused WRONG_SITE when the agent_id is known as that of an agent of another site, SESSION_FENCED when it is
    bound to another key than `ask` shows, and LIMIT_REACHED when other agents have as many sessions as `limits` allows.
    """
    _require_same_site(db, ask, token)
    bound = _bound_to(db, ask)
    _require_free_session(db, ask, token, limits)
    secret = ids.new_secret(ids.SESSION_TOKEN_PREFIX)
    present = db.scalar(
        select(AgentSession)
        .where(AgentSession.agent_id == ask.agent_id, AgentSession.ended_at.is_(None))
        .with_for_update()
    )
    if present is not None and present.instance == ask.instance:
        _renew(present, secret, now=now, lasts=lasts)
        present.agent_key_hash = bound
        _describe(present, ask, token, policies, bought_with, now)
        storages.compare(db, present)
        return OpenedSession(agent_of(present), secret)
    new_id = uuid4()
    if present is not None:
        _fence(db, present, new_id, ask, now=now)
    session = AgentSession(
        id=new_id,
        agent_id=ask.agent_id,
        instance=ask.instance,
        agent_key_hash=bound,
        token_hash=hashed(secret),
        token_expires_at=now + timedelta(seconds=lasts),
        opened_at=now,
        room=[],
        findings=[],
    )
    _describe(session, ask, token, policies, bought_with, now)
    db.add(session)
    storages.compare(db, session)
    session.findings = [one.model_dump(mode="json") for one in storages.findings(session)]
    db.flush()
    command_carry_over.carry_over(db, session, now=now)
    _announce(db, session, ask, token, now=now)
    return OpenedSession(agent_of(session), secret)


def _require_same_site(db: Session, ask: OpenSession, token: AgentToken) -> None:
    """An agent_id is no secret: the holder of a token of one site must not fence an agent of another site with it."""
    known_site = db.scalar(
        select(AgentSession.site)
        .where(AgentSession.agent_id == ask.agent_id, AgentSession.site != token.site)
        .limit(1)
    )
    if known_site is not None:
        raise Refused(
            Code.WRONG_SITE,
            f"agent {ask.name!r} comes with the agent token {token.name!r} of site {token.site!r}, and its id "
            f"{ask.agent_id} is that of an agent of site {known_site!r}",
            remedy=f"give the agent a token of site {known_site!r}; or, when it has moved to site {token.site!r}, a new "
            "state_dir",
        )


def _require_free_session(db: Session, ask: OpenSession, token: AgentToken, limits: SessionLimits) -> None:
    """Agent ids cost nothing, and each session is a row that every sweep reads. The session an agent has counts for
    nothing: the new one takes its place.

    The row of the token is locked since `token_authentication.authenticate` wrote to it, so one token never has more. Sessions that are opened
    in the same moment with several tokens of a site may exceed the site's limit by as many.
    """
    open_sessions = select(func.count()).where(
        AgentSession.ended_at.is_(None), AgentSession.agent_id != ask.agent_id
    )
    for what, option, condition, most in (
        (
            f"agent token {token.name!r}",
            "sessions_per_token",
            AgentSession.token_id == token.id,
            limits.per_token,
        ),
        (f"site {token.site!r}", "sessions_per_site", AgentSession.site == token.site, limits.per_site),
    ):
        if (db.scalar(open_sessions.where(condition)) or 0) >= most:
            raise Refused(
                Code.LIMIT_REACHED,
                f"agent {ask.name!r} gets no session: {what} has {most} open, as many as [tradewind] {option} allows",
                remedy="stop agents that are not needed, or raise the limit",
                token=token.name,
            )


def _bound_to(db: Session, ask: OpenSession) -> str | None:
    """The hash of the key the agent_id is bound to, from now on if it was not before.

    Without a key the holder of another token of the site could end the agent's session, inherit its attempts and report
    them.
    """
    shown = hashed(ask.agent_key) if ask.agent_key else None
    before = db.scalar(
        select(AgentSession.agent_key_hash)
        .where(AgentSession.agent_id == ask.agent_id, AgentSession.agent_key_hash.is_not(None))
        .order_by(AgentSession.opened_at.desc())
        .limit(1)
    )
    if before not in (None, shown):
        raise Refused(
            Code.SESSION_FENCED,
            f"the id {ask.agent_id} of agent {ask.name!r} is another agent's: it was first opened with another key than the "
            "one this agent has",
            remedy="remove agent-id and agent-key from its state directory: it comes back under an id of its own",
        )
    return shown


def _fence(db: Session, session: AgentSession, new: UUID, ask: OpenSession, *, now: datetime) -> None:
    """End the session that the agent has. What `ask` names as unreported goes to the session `new`."""
    _keep_unreported(db, session.id, new, ask)
    session_termination.end(
        db,
        session,
        how=SessionEnd.FENCED,
        reason=f"was started again as process {ask.host.pid or '?'} on {ask.host.hostname or 'an unnamed host'}, "
        "and the newer process is the agent now",
        now=now,
    )


def _keep_unreported(db: Session, old: UUID, new: UUID, ask: OpenSession) -> None:
    named = {ref.attempt_id: ref.epoch for ref in ask.unreported}
    held = db.scalars(
        select(Attempt).where(Attempt.session_id == old, Attempt.state == AttemptState.RUNNING.value)
    )
    for attempt in held:
        if named.get(attempt.id) == attempt.epoch:
            attempt.session_id, attempt.missing_since = new, None
    db.flush()


def _announce(
    db: Session, session: AgentSession, ask: OpenSession, token: AgentToken, *, now: datetime
) -> None:
    notifications.publish(db, notifications.AGENTS)
    audit.record(
        db,
        action="session_opened",
        actor=f"agent:{ask.name}",
        subject=f"agent:{ask.name}",
        now=now,
        detail={
            "agent_id": str(ask.agent_id),
            "session_id": str(session.id),
            "token": token.name,
            "site": token.site,
            "hostname": ask.host.hostname,
        },
    )


def goodbye(db: Session, agent: Agent, *, now: datetime) -> None:
    """End the agent's session at its own wish. Idempotent."""
    session = db.get(AgentSession, agent.session_id)
    if session is not None:
        session_termination.end(db, session, how=SessionEnd.GOODBYE, reason="closed its session", now=now)


def renewed_token(session: AgentSession, *, now: datetime, lasts: float) -> str | None:
    """A fresh token when the present one is past half its time, else None. The present one stays good until its own
    end, since the agent may never read the answer."""
    if session.token_expires_at - now > timedelta(seconds=lasts / 2):
        return None
    secret = ids.new_secret(ids.SESSION_TOKEN_PREFIX)
    _renew(session, secret, now=now, lasts=lasts)
    return secret


def _renew(session: AgentSession, secret: str, *, now: datetime, lasts: float) -> None:
    session.previous_hash, session.previous_expires_at = session.token_hash, session.token_expires_at
    session.token_hash, session.token_expires_at = hashed(secret), now + timedelta(seconds=lasts)


def _describe(
    session: AgentSession,
    ask: OpenSession,
    token: AgentToken,
    policies: Policies,
    bought_with: str | None,
    now: datetime,
) -> None:
    strict = Policy.STRICT in (ask.policy, policies.of(token.site))
    session.name = ask.name
    session.worker_group = ask.group
    session.token_id = token.id
    session.site = token.site
    session.bought_with = bought_with or token.token_hash
    route = (client_address.address() or None, client_address.endpoint() or None)
    if session.way_since is None or (session.address, session.endpoint) != route:
        session.way_since = now
    session.address, session.endpoint = route
    session.components = [one.value for one in dict.fromkeys(ask.components)]
    session.environments = [one.model_dump(mode="json") for one in ask.environments]
    session.bundles = list(ask.bundles)
    session.trigger_capacity = ask.trigger_capacity
    session.policy = (Policy.STRICT if strict else Policy.OPEN).value
    session.version = ask.version[:50]
    session.host = ask.host.model_dump(mode="json")
