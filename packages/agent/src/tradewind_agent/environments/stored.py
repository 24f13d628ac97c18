"""What is in the storages of the task environments: asked of each from inside, as only there a bucket can be opened."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from tradewind_agent.environments import variables
from tradewind_agent.errors import EnvironmentBroken
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_protocol.hosts import Configure
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component

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
    configure = Configure(
        component=Component.WORKER,
        agent_name=settings.name,
        gateway="",
        secret="",
        policy=Policy.STRICT,  # whatever holds now: under it the environment knows where values would be
        options={"state_directory": str(settings.state_dir), "storage": settings.storage},
    )
    process = await asyncio.create_subprocess_exec(
        str(environment.interpreter),
        "-m",
        "tradewind_runtime.stored",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=variables.for_host(
            os.environ,
            passed=settings.pass_environment,
            own=environment.env,
            defaults=variables.defaults(settings.state_dir),
            interpreter=environment.interpreter,
        ),
        start_new_session=True,
    )
    sent = json.dumps({"configure": configure.model_dump(mode="json"), **ask}).encode()
    try:
        out, err = await asyncio.wait_for(process.communicate(sent), PATIENCE)
    except (asyncio.CancelledError, asyncio.TimeoutError) as ended:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if isinstance(ended, asyncio.CancelledError):
            raise
        raise EnvironmentBroken(
            f"the storage of environment {environment.name} was not looked through in {PATIENCE:.0f} s"
        ) from ended
    if process.returncode != 0:
        last = (err.decode(errors="replace").strip().splitlines() or [f"exit status {process.returncode}"])[
            -1
        ]
        raise EnvironmentBroken(
            f"the storage of environment {environment.name} cannot be looked at: {last[:500]}",
            remedy="Run tradewind-agent doctor: it writes, reads and deletes an object there",
        )
    lines = (line for line in out.decode(errors="replace").splitlines() if line.startswith(MARK))
    return [json.loads(line.removeprefix(MARK)) for line in lines]
