"""Cancelled tasks end, also those whose `asyncio.wait_for` swallows a cancellation (Python before 3.12)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import tradewind_agent
from tradewind_agent.kits import aiotasks, aiotime


@pytest.mark.parametrize("steps", range(5))
async def test_a_loop_that_is_woken_and_cancelled_in_the_same_moment_ends(steps: int) -> None:
    """`steps` of the event loop lie between the two. With `asyncio.wait_for` one of them hangs before Python 3.12."""
    wakeup = asyncio.Event()

    async def loop() -> None:
        while True:
            await aiotime.sleep(3600, wakeup)
            wakeup.clear()

    task = asyncio.create_task(loop())
    for _ in range(3):
        await asyncio.sleep(0)
    wakeup.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    ending = asyncio.ensure_future(aiotasks.cancel(task))
    await asyncio.wait({ending}, timeout=5)
    assert task.cancelled()


def test_the_agent_has_no_wait_that_may_swallow_a_cancellation() -> None:
    source = Path(tradewind_agent.__file__).parent
    users = [path.name for path in source.rglob("*.py") if "asyncio.wait_for(" in path.read_text("utf-8")]
    assert users == []


@pytest.mark.looptime
async def test_what_takes_too_long_is_cancelled_and_said_to_be_late(looptime: Any) -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(asyncio.TimeoutError):
        await aiotime.within(work(), 5)
    assert looptime == 5
    assert cancelled.is_set()
