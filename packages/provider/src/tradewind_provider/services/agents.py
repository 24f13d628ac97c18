"""An agent with a live session, as the services know the caller of a verb."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component
from tradewind_provider.store.tables import AgentSession


@dataclass(frozen=True)
class Agent:
    """An agent with a live session."""

    session_id: UUID
    agent_id: UUID
    name: str
    components: frozenset[Component]
    policy: Policy
    token_id: UUID
    site: str
    instance: UUID
    bundles: tuple[str, ...]
    trigger_capacity: int
    good_until: datetime | None = None  # the credentials it showed, by time alone; None: not looked at

    def require(self, component: Component) -> None:
        """Raises Refused COMPONENT_NOT_YOURS when this agent's session was not opened for `component`."""
        if component not in self.components:
            raise Refused(
                Code.COMPONENT_NOT_YOURS,
                f"agent {self.name!r} did not open its session as a {component.value}",
                remedy=f"add {component.value} to the agent's components and restart it",
            )


def agent_of(session: AgentSession) -> Agent:
    """The agent of a session's row."""
    return Agent(
        session_id=session.id,
        agent_id=session.agent_id,
        name=session.name,
        components=frozenset(Component(one) for one in session.components),
        policy=Policy(session.policy),
        token_id=session.token_id,
        site=session.site,
        instance=session.instance,
        bundles=tuple(session.bundles),
        trigger_capacity=session.trigger_capacity,
    )
