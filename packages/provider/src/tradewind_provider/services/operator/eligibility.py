"""Which agents take the work of a route, and why the others do not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tradewind_protocol import operator
from tradewind_protocol.states import AgentState, Component
from tradewind_provider.domain.routes import Route

_TAKES_WORK: Final = frozenset({AgentState.STARTING, AgentState.HEALTHY, AgentState.DEGRADED})
_MOST_NAMED: Final = 5


def why_not(agent: operator.AgentView, environment: operator.EnvironmentView) -> str:
    """Why an agent takes no work into one of its environments now; empty when it does."""
    if agent.state not in _TAKES_WORK:
        return agent.state.value
    if environment.starting:
        return "starting"
    if environment.problem:
        return f"environment {environment.name}: {environment.problem}"
    return "" if environment.slots else "no slots"


def has(agent: operator.AgentView, environment: operator.EnvironmentView, bundle: str | None) -> bool:
    """True when work of the bundle can run there."""
    return bundle is None or bundle in (agent.bundles if environment.bundles is None else environment.bundles)


def waits_for(route: Route, agents: Iterable[operator.AgentView]) -> str:
    """What work of a route waits for, in a sentence; and why none of the agents that are there takes it. When one does,
    it waits for a free slot."""
    if route.site is None:
        return f"waits for a site that has bundle {route.bundle}: no agent has claimed it"
    wanted = f"waits for an agent of site {route.site}"
    if route.bundle is not None:
        wanted += f" with bundle {route.bundle}"
    wanted += f" on queue {route.queue}"
    mine = [agent for agent in agents if agent.site == route.site and Component.WORKER in agent.components]
    serving = [
        (agent, environment)
        for agent in mine
        for environment in agent.environments
        if route.queue in environment.queues
    ]
    if not mine:
        return f"{wanted}: no agent of this site is connected"
    if not serving:
        return f"{wanted}: no agent of this site serves the queue"
    reasons = []
    for agent, environment in serving:
        if not has(agent, environment, route.bundle):
            reasons.append(f"{agent.name} (without the bundle)")
        elif reason := why_not(agent, environment):
            reasons.append(f"{agent.name} ({reason})")
        else:
            return f"waits for a free slot of site {route.site} on queue {route.queue}"
    named = sorted(set(reasons))
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    return f"{wanted}: {', '.join(named[:_MOST_NAMED])}{more}"
