"""Verdicts on canaries that no agent has reported: from the attempt, the agents and the sentinels that the plane knows."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import Outcome
from tradewind_protocol.sentinel import SentinelReport
from tradewind_protocol.states import Component, OutcomeKind
from tradewind_provider.domain import canaries as rules
from tradewind_provider.domain import sentinels as sentinel_rules
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.domain.routes import Route
from tradewind_provider.services.operator import agent_views, eligibility
from tradewind_provider.store.tables import AgentSession, Attempt, CanaryRow, SentinelRow


def of_ended(db: Session, attempt: Attempt, now: datetime) -> rules.Verdict | None:
    """Of an attempt that ended and was not reported by its agent: it is lost, or was never readable."""
    outcome = Outcome(
        epoch=max(attempt.epoch, 1),
        kind=OutcomeKind(attempt.outcome or OutcomeKind.LOST.value),
        reason=attempt.reason[:4000],
    )
    return rules.of_outcome(
        outcome,
        agent=_agent_of(db, attempt),
        created_at=attempt.created_at,
        granted_at=attempt.granted_at or now,
        now=now,
    )


def of_silent(db: Session, attempt: Attempt, granted_at: datetime, now: datetime) -> rules.Verdict:
    """Of an attempt that runs and was not reported in time: with what its agent reports of itself."""
    session = db.get(AgentSession, attempt.session_id) if attempt.session_id else None
    problems = ""
    if session is not None:
        found = [str(one.get("message", "")) for one in session.findings or ()]
        silent = (now - (session.last_beat_at or session.opened_at)).total_seconds()
        if silent > rules.ENDED_WITHIN.total_seconds():
            found.insert(0, f"it has sent no poll for {silent:.0f} s")
        problems = "; ".join(found[:3])[:1000]
    return rules.of_silence(
        _agent_of(db, attempt), problems, created_at=attempt.created_at, granted_at=granted_at
    )


def _agent_of(db: Session, attempt: Attempt) -> str:
    session = db.get(AgentSession, attempt.session_id) if attempt.session_id else None
    return session.name if session is not None else "unknown"


def serving(db: Session, row: CanaryRow, beats: HeartbeatLimits, now: datetime) -> rules.Serving:
    """Which agents could have taken a canary that waits."""
    agents = [one for one in agent_views.present(db, now=now, beats=beats) if one.site == row.site]
    sessions = {
        one.id: one for one in db.scalars(select(AgentSession).where(AgentSession.ended_at.is_(None)))
    }
    taking: list[str] = []
    older: list[str] = []
    free = 0
    for agent in agents:
        session = sessions.get(agent.session_id)
        if session is None or Component.WORKER not in agent.components:
            continue
        free_slots = {str(one.get("environment")): int(one.get("free", 0)) for one in session.room or ()}
        runs = {one["name"] for one in session.environments if one.get("canary") is True}
        for environment in agent.environments:
            if row.queue not in environment.queues or eligibility.why_not(agent, environment):
                continue
            if environment.name in runs:
                taking.append(agent.name)
                free += free_slots.get(environment.name, 0)
            else:
                older.append(agent.name)
    return rules.Serving(
        waits_for=eligibility.waits_for(Route(row.queue, row.site), agents),
        taking=tuple(dict.fromkeys(taking)),
        free=free,
        older=tuple(dict.fromkeys(older)),
        asleep=_asleep(db, row, now),
    )


def _asleep(db: Session, row: CanaryRow, now: datetime) -> str:
    """A group of agents that serves the queue and may be at zero, as a sentinel of the site reports it."""
    for sentinel in db.scalars(select(SentinelRow).where(SentinelRow.site == row.site)):
        if sentinel_rules.is_lost(sentinel.last_at, now):
            continue
        for group in SentinelReport.model_validate(sentinel.report).groups:
            if row.queue in group.queues and group.least == 0:
                return group.name
    return ""
