"""What a dag processor process is configured with at its start."""

from __future__ import annotations

from typing import Any

from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_protocol.sessions import SessionOpened


def options(
    settings: Settings, environment: EnvironmentSettings, session: SessionOpened | None
) -> dict[str, Any]:
    """The dag processor's part of Configure.options."""
    # empty: what the environment's own Airflow configuration says
    return {"bundles": list(settings.bundles)}
