"""What the agent says of itself when it opens a session."""

from __future__ import annotations

import os
import platform
from typing import TYPE_CHECKING

import psutil  # type: ignore[import-untyped]

from tradewind_agent.monitoring.version import agent_version
from tradewind_protocol import sessions
from tradewind_protocol.sessions import OpenSession
from tradewind_protocol.states import Component

if TYPE_CHECKING:
    from tradewind_agent.agent.composition import Agent


def of(agent: Agent) -> OpenSession:
    """The request that opens the session of `agent`, which has its id."""
    assert agent.agent_id is not None
    settings = agent.settings
    return OpenSession(
        agent_id=agent.agent_id,
        agent_key=agent.agent_key,
        instance=agent.instance,
        name=settings.name,
        group=settings.group,
        components=settings.components,
        environments=agent.environments.task_environments(),
        trigger_capacity=settings.trigger_capacity if Component.TRIGGERER in settings.components else 0,
        bundles=tuple(str(each["name"]) for each in settings.bundles if "name" in each),
        unreported=agent.running.unreported(),
        policy=agent.rules.policy,
        version=agent_version(),
        host=sessions.Host(
            hostname=platform.node(),
            platform=platform.platform(),
            cpus=os.cpu_count() or 0,
            memory_bytes=psutil.virtual_memory().total,
            pid=os.getpid(),
        ),
    )
