"""A question to a task environment, cut short: no process stays, and no caller waits for what left its group."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tradewind_agent.environments import interpreter
from tradewind_agent.settings import EnvironmentSettings, Settings

pytestmark = [pytest.mark.process, pytest.mark.timeout(30)]

ENDLESS = """#!/bin/sh
exec yes
"""
LEAVES = """#!/bin/sh
setsid sleep 300 &
echo $! > {pid}
echo started
wait
"""


def environment(home: Path, program: str) -> tuple[Settings, EnvironmentSettings]:
    path = home / "python"
    path.write_text(program)
    path.chmod(0o755)
    made = EnvironmentSettings(name="default", interpreter=path)
    settings = Settings(
        plane_url="http://127.0.0.1:1", token="tw_agent_x", state_dir=home / "state", environments=(made,)
    )
    return settings, made


async def test_a_process_that_printed_more_than_anything_read_is_killed_to_its_end(tmp_path: Path) -> None:
    process = await interpreter.start(*environment(tmp_path, ENDLESS), "any", limit=1000)
    assert process.stdout is not None
    transport = process.stdout._transport  # type: ignore[attr-defined]
    while transport.is_reading():  # noqa: ASYNC110 (until the reader holds all it will)
        await asyncio.sleep(0.01)
    await interpreter.kill(process)
    assert process.returncode == -signal.SIGKILL


async def test_a_program_that_left_the_group_and_holds_the_output_keeps_nobody_waiting(
    tmp_path: Path,
) -> None:
    """As the connection does that ssh keeps for later (ControlPersist) while a bundle is fetched."""
    written = tmp_path / "pid"
    process = await interpreter.start(*environment(tmp_path, LEAVES.format(pid=written)), "any")
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"started\n"
        await interpreter.kill(process)
        assert process.returncode == -signal.SIGKILL
        os.kill(int(written.read_text()), 0)  # it still holds the pipe
    finally:
        with suppress(ProcessLookupError):
            os.kill(int(written.read_text()), signal.SIGKILL)
