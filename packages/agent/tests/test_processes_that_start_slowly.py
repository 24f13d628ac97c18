"""Processes of a task environment on a machine that is too busy to start one within its limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tradewind_agent.access.local_secrets import LocalSecrets
from tradewind_agent.environments.launcher import ChildProcess, ProcessCommand
from tradewind_agent.environments.process import HELLO_LIMIT, LIVED_LONG, ComponentProcess
from tradewind_agent.kits import aiotasks
from tradewind_agent.testing.processes import FakeProcess
from tradewind_protocol.hosts import Configure
from tradewind_protocol.messages import Message
from tradewind_protocol.states import Component

# finer than the loop's own clock: with the coarser default of Python 3.10's looptime its time can stand still
pytestmark = pytest.mark.looptime(resolution=1e-9)


class SlowProcess(FakeProcess):
    """Reports ready after `seconds` of the loop's clock."""

    seconds: float

    def say(self, message: Message) -> None:
        asyncio.get_running_loop().call_later(self.seconds, super().say, message)


class SlowMachine:
    """Starts processes that take `seconds` until they are ready, and knows when it started each."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.processes: list[FakeProcess] = []
        self.moments: list[float] = []

    async def launch(self, command: ProcessCommand) -> ChildProcess:
        process = SlowProcess(command, airflow="3.3.2", canary=False, problem=None, may_start=_no, ask=_no)
        process.seconds = self.seconds
        self.processes.append(process)
        self.moments.append(asyncio.get_running_loop().time())
        return process


async def _no(*_: Any) -> bool:
    return False


class Watched:
    """A triggerer process of such a machine, kept alive."""

    def __init__(self, machine: SlowMachine) -> None:
        self.changed = asyncio.Event()
        self.process = ComponentProcess(
            component=Component.TRIGGERER,
            environment="default",
            command=ProcessCommand(
                title="triggerer process", argv=("python",), env={}, log_file=Path("/log")
            ),
            configure=lambda secret: Configure(
                component=Component.TRIGGERER, agent_name="a", gateway="/g", secret=secret
            ),
            launcher=machine,
            secrets=LocalSecrets(),
            on_change=self.changed.set,
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()


async def test_a_start_that_takes_longer_than_its_limit_gets_twice_as_long_until_it_is_ready() -> None:
    machine = SlowMachine(2.5 * HELLO_LIMIT)
    watched = Watched(machine)
    running = asyncio.create_task(watched.process.run())
    await watched.until(lambda: watched.process.ready)
    assert len(machine.processes) == 3, "cut off after one limit and after two"
    assert watched.process.findings() == []
    await aiotasks.cancel(running)


async def test_starts_that_never_end_are_cut_off_at_eight_limits_and_tried_again_more_and_more_seldom() -> (
    None
):
    machine = SlowMachine(1e6)
    watched = Watched(machine)
    running = asyncio.create_task(watched.process.run())
    await watched.until(lambda: len(machine.moments) == 6)
    [finding] = watched.process.findings()
    assert f"within {8 * HELLO_LIMIT:.0f} s" in finding.message
    await aiotasks.cancel(running)
    starts = [HELLO_LIMIT * times for times in (1, 2, 4, 8, 8)]
    waits = [
        after - before - start
        for (before, after), start in zip(pairwise(machine.moments), starts, strict=True)
    ]
    for tried, wait in enumerate(waits):
        assert 2**tried / 2 <= wait + 1e-6 and wait - 1e-6 <= 2**tried, waits


async def test_a_process_that_was_ready_is_started_again_within_the_first_limit() -> None:
    machine = SlowMachine(1.5 * HELLO_LIMIT)
    watched = Watched(machine)
    running = asyncio.create_task(watched.process.run())
    await watched.until(lambda: watched.process.ready)
    await asyncio.sleep(LIVED_LONG)
    machine.seconds = 1e6
    machine.processes[-1].exit(-9)
    await asyncio.sleep(HELLO_LIMIT + 2)
    [finding] = watched.process.findings()
    assert f"within {HELLO_LIMIT:.0f} s" in finding.message
    await aiotasks.cancel(running)
