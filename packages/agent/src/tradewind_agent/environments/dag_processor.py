"""What a dag processor host is told at its start."""

from __future__ import annotations

from typing import Any

from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_protocol.sessions import Policy, SessionOpened


def options(
    settings: Settings, environment: EnvironmentSettings, session: SessionOpened | None
) -> dict[str, Any]:
    """The dag processor's part of Configure.options."""
    wished = settings.source if settings.source is not None else settings.policy
    allowed = session.policy if session is not None else Policy.STRICT
    return {
        "bundles": list(settings.bundles),  # empty: what the environment's own Airflow configuration says
        "send_source": wished is Policy.OPEN and allowed is Policy.OPEN,
    }
