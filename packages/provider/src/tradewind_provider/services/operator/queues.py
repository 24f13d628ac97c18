"""Queues as people see them. A queue exists because an agent serves it or because work waits in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_protocol.states import AgentState, AttemptState, Component
from tradewind_provider.domain.agents import Beats
from tradewind_provider.services.operator import agent_views, agents
from tradewind_provider.store.base import UtcDateTime
from tradewind_provider.store.tables import Attempt

_TAKES_WORK = frozenset({AgentState.STARTING, AgentState.HEALTHY, AgentState.DEGRADED})


@dataclass
class _Queue:
    depth: int = 0
    oldest: datetime | None = None
    running: int = 0
    slots: int = 0
    used: int = 0
    serving: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)  # "eu-1 (cordoned)": would serve, takes nothing now


def listed(db: Session, *, now: datetime, beats: Beats) -> operator.Page[operator.QueueView]:
    """Every queue, by name."""
    queues: dict[str, _Queue] = defaultdict(_Queue)
    _count_work(db, queues)
    _ask_who_serves(agents.present(db, now=now, beats=beats), queues)
    items = tuple(_view(name, queue, now) for name, queue in sorted(queues.items()))
    return operator.Page[operator.QueueView](items=items, total=len(items), limit=len(items), offset=0)


def _count_work(db: Session, queues: dict[str, _Queue]) -> None:
    counts = db.execute(
        select(
            Attempt.queue,
            Attempt.state,
            func.count(),
            func.min(Attempt.created_at, type_=UtcDateTime()),
        )
        .where(Attempt.state.in_([AttemptState.QUEUED.value, *agent_views.LIVE]))
        .group_by(Attempt.queue, Attempt.state)
    )
    for name, state, count, oldest in counts:
        queue = queues[name]
        if state == AttemptState.QUEUED.value:
            queue.depth, queue.oldest = count, oldest
        else:
            queue.running += count


def _ask_who_serves(views: Iterable[operator.AgentView], queues: dict[str, _Queue]) -> None:
    for agent in views:
        if Component.WORKER not in agent.components:
            continue
        for environment in agent.environments:
            why_not = _why_not(agent, environment)
            for name in environment.queues:
                queue = queues[name]
                if why_not:
                    queue.idle.append(f"{agent.name} ({why_not})")
                    continue
                queue.slots += environment.slots
                queue.used += environment.used
                if agent.name not in queue.serving:
                    queue.serving.append(agent.name)


def _why_not(agent: operator.AgentView, environment: operator.EnvironmentView) -> str:
    if agent.state not in _TAKES_WORK:
        return agent.state.value
    if environment.problem:
        return f"environment {environment.name}: {environment.problem}"
    return "" if environment.slots else "no slots"


def _view(name: str, queue: _Queue, now: datetime) -> operator.QueueView:
    warning = ""
    if not queue.serving:
        work = f"{queue.depth} piece{'s' * (queue.depth != 1)} of work wait{'s' * (queue.depth == 1)}"
        if queue.idle:
            warning = f"no agent takes work from this queue now: {', '.join(sorted(queue.idle))}"
        elif queue.depth:
            warning = (
                f"{work} and no agent serves this queue: start one that does, or correct the queue's name"
            )
        else:
            warning = "the agent that runs its last work serves it no more"
    return operator.QueueView(
        queue=name,
        depth=queue.depth,
        oldest_wait=max((now - queue.oldest).total_seconds(), 0.0) if queue.oldest else 0.0,
        running=queue.running,
        slots=queue.slots,
        slots_used=queue.used,
        agents=tuple(sorted(queue.serving)),
        warning=warning,
    )
