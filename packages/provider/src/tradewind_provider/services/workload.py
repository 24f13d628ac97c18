"""How many agents the plane has, and how much work."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from tradewind_protocol.access import Workload
from tradewind_protocol.states import UNFINISHED, AgentState, AttemptState
from tradewind_provider.domain.agents import HeartbeatLimits, SessionEnd
from tradewind_provider.services import queue_depths
from tradewind_provider.services.operator import agent_views
from tradewind_provider.store.tables import AgentSession

MISSED_FOR: Final = timedelta(hours=1)
"""So long an agent that was lost is counted. One that has left by itself is not."""


def count(db: Session, *, now: datetime, beats: HeartbeatLimits) -> Workload:
    """Count at this moment. Canaries are no work."""
    states = [agent_views.state_of(one, now, beats)[0] for one in db.scalars(_counted(now))]
    work: Counter[bool] = Counter()
    for one in queue_depths.by_route(db, UNFINISHED):
        if not one.route.canary:
            work[one.state is AttemptState.QUEUED] += one.count
    return Workload(
        agents=len(states),
        healthy_agents=states.count(AgentState.HEALTHY),
        running=work[False],
        queued=work[True],
    )


def _counted(now: datetime) -> Any:
    later = aliased(AgentSession)
    missed = and_(
        AgentSession.ended_how == SessionEnd.LOST.value,
        AgentSession.ended_at > now - MISSED_FOR,
        ~exists().where(later.agent_id == AgentSession.agent_id, later.opened_at > AgentSession.opened_at),
    )
    return select(AgentSession).where(or_(AgentSession.ended_at.is_(None), missed))
