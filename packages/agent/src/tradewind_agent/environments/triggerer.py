"""What a triggerer process is configured with at its start."""

from __future__ import annotations

from typing import Any

from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_protocol.sessions import SessionOpened


def options(
    settings: Settings, environment: EnvironmentSettings, session: SessionOpened | None
) -> dict[str, Any]:
    """The triggerer's part of Configure.options. How many triggers it may run is Configure.slots."""
    return {
        "bundles": list(settings.bundles),
        "queues": list(settings.trigger_queues),
        "traces": bool(settings.traces_endpoint),
    }
