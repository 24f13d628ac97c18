"""Queues as people see them. A queue of a site exists because an agent serves it or because work waits in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from tradewind_protocol import operator
from tradewind_protocol.states import UNFINISHED, AttemptState, Component
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.domain.routes import Route
from tradewind_provider.services import canary_views, queue_depths
from tradewind_provider.services.operator import agent_views, eligibility

_Key = tuple[str | None, str]  # site, queue


@dataclass
class _Queue:
    depth: int = 0
    oldest: datetime | None = None
    running: int = 0
    slots: int = 0
    used: int = 0
    serving: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)  # "eu-1 (cordoned)": would serve, takes nothing now
    waiting: dict[str | None, int] = field(default_factory=dict)  # bundle → pieces of work
    taken: set[str | None] = field(default_factory=set)  # of these, bundles whose work some agent takes


def listed(db: Session, *, now: datetime, beats: HeartbeatLimits) -> operator.Page[operator.QueueView]:
    """Every queue, by site and name."""
    queues: dict[_Key, _Queue] = defaultdict(_Queue)
    _count_work(db, queues)
    present = agent_views.present(db, now=now, beats=beats)
    _ask_who_serves(present, queues)
    tried = canary_views.of_queues(db)
    for name in tried:
        queues[name]  # one that agents served lately, and that has a canary yet
    found = sorted(queues.items(), key=lambda item: (item[0][0] or "", item[0][1]))
    items = tuple(_view(key, queue, present, tried.get((key[0] or "", key[1])), now) for key, queue in found)
    return operator.Page[operator.QueueView](items=items, total=len(items), limit=len(items), offset=0)


def _count_work(db: Session, queues: dict[_Key, _Queue]) -> None:
    for one in queue_depths.by_route(db, UNFINISHED):
        if one.route.canary:
            continue
        queue = queues[one.route.site, one.route.queue]
        if one.state is AttemptState.QUEUED:
            queue.depth += one.count
            queue.oldest = min(queue.oldest or one.oldest, one.oldest)
            queue.waiting[one.route.bundle] = one.count
        else:
            queue.running += one.count


def _ask_who_serves(views: Iterable[operator.AgentView], queues: dict[_Key, _Queue]) -> None:
    for agent in views:
        if Component.WORKER not in agent.components:
            continue
        for environment in agent.environments:
            why_not = eligibility.why_not(agent, environment)
            for name in environment.queues:
                queue = queues[agent.site, name]
                if why_not:
                    queue.idle.append(f"{agent.name} ({why_not})")
                    continue
                queue.slots += environment.slots
                queue.used += environment.used
                queue.taken |= {one for one in queue.waiting if eligibility.has(agent, environment, one)}
                if agent.name not in queue.serving:
                    queue.serving.append(agent.name)


def _view(
    key: _Key,
    queue: _Queue,
    present: Sequence[operator.AgentView],
    canary: operator.CanaryView | None,
    now: datetime,
) -> operator.QueueView:
    site, name = key
    return operator.QueueView(
        site=site,
        queue=name,
        depth=queue.depth,
        oldest_wait=max((now - queue.oldest).total_seconds(), 0.0) if queue.oldest else 0.0,
        running=queue.running,
        slots=queue.slots,
        slots_used=queue.used,
        agents=tuple(sorted(queue.serving)),
        warning=_warning(key, queue, present),
        canary=canary,
    )


def _warning(key: _Key, queue: _Queue, present: Sequence[operator.AgentView]) -> str:
    site, name = key
    stuck = [
        f"{_pieces(queue.waiting[bundle])} {eligibility.waits_for(Route(name, site, bundle), present)}"
        for bundle in sorted(queue.waiting, key=lambda one: one or "")
        if bundle not in queue.taken
    ]
    if stuck:
        return "; ".join(stuck)
    if queue.serving:
        return ""
    if queue.idle:
        return f"no agent takes work from this queue now: {', '.join(sorted(queue.idle))}"
    return (
        "the agent that runs its last work serves it no more"
        if queue.running
        else "no agent serves it any more"
    )


def _pieces(count: int) -> str:
    return f"{count} piece{'s' * (count != 1)} of work:"
