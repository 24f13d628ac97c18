"""What is in the storages of the task environments: asked of each from inside, as only there a bucket can be opened."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

from tradewind_agent.environments import configuration, interpreter
from tradewind_agent.errors import EnvironmentBroken
from tradewind_agent.kits import aiotime
from tradewind_agent.settings import EnvironmentSettings, Settings

MARK: Final = "tradewind-stored "
PATIENCE: Final = 1800.0
"""Seconds. A bucket with a million objects takes minutes to list."""


async def listed(settings: Settings, environment: EnvironmentSettings) -> list[dict[str, Any]]:
    """What is stored of each run. Raises EnvironmentBroken when the environment cannot say."""
    return await _asked(settings, environment, {})


async def removed(
    settings: Settings, environment: EnvironmentSettings, orders: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Carry out orders; what was removed of each run, or would be. Raises EnvironmentBroken."""
    return await _asked(settings, environment, {"remove": list(orders)})


async def _asked(
    settings: Settings, environment: EnvironmentSettings, ask: dict[str, Any]
) -> list[dict[str, Any]]:
    configure = configuration.of_question(settings)
    question = json.dumps({"configure": configure.model_dump(mode="json"), **ask})
    try:
        said = await aiotime.within(
            interpreter.ask(settings, environment, "tradewind_runtime.stored", question), PATIENCE
        )
    except asyncio.TimeoutError as ended:
        raise EnvironmentBroken(
            f"the storage of environment {environment.name} was not looked through in {PATIENCE:.0f} s"
        ) from ended
    if said.status != 0:
        raise EnvironmentBroken(
            f"the storage of environment {environment.name} cannot be looked at: {said.last_words}",
            remedy="Run tradewind-agent doctor: it writes, reads and deletes an object there",
        )
    return [json.loads(line) for line in said.marked(MARK)]
