"""One host process: started, watched, stopped. Real children, no agent around them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from process_kit import gone, interpreter

from tradewind_agent.access.local_secrets import ComponentPrincipal, LocalSecrets
from tradewind_agent.environments.launcher import ProcessCommand, SubprocessLauncher
from tradewind_agent.environments.process import ComponentProcess, ProcessState
from tradewind_agent.kits import aiotasks
from tradewind_protocol.hosts import Configure
from tradewind_protocol.states import Component

pytestmark = pytest.mark.process


class Watched:
    """A host, and the moments at which it changed."""

    def __init__(self, directory: Path, *, twist: str = "", **limits: Any) -> None:
        self.secrets = LocalSecrets()
        self.changed = asyncio.Event()
        self.configured: list[str] = []
        self.host = ComponentProcess(
            component=Component.TRIGGERER,
            environment="default",
            command=ProcessCommand(
                title="triggerer host",
                argv=(str(interpreter(directory, twist=twist)), "-m", "tradewind_runtime"),
                env={"PATH": os.environ["PATH"]},
                log_file=directory / "host.log",
            ),
            configure=self._configure,
            launcher=SubprocessLauncher(),
            secrets=self.secrets,
            on_change=self.changed.set,
            **limits,
        )

    def _configure(self, secret: str) -> Configure:
        self.configured.append(secret)
        return Configure(component=Component.TRIGGERER, agent_name="a", gateway="/g", secret=secret)

    async def until(self, condition: Callable[[], Any]) -> None:
        while not condition():
            self.changed.clear()
            await self.changed.wait()


async def test_a_host_that_ignores_its_stop_is_killed_after_the_grace(tmp_path: Path):
    watched = Watched(
        tmp_path,
        twist="import threading; threading.Thread(target=time.sleep, args=(600,)).start()",
        stop_grace=0.3,
    )
    running = asyncio.create_task(watched.host.run())
    await watched.until(lambda: watched.host.ready)
    process = psutil.Process(watched.host.pid)
    await watched.host.stop()
    await running
    assert not process.is_running()
    assert watched.host.state is ProcessState.STOPPED


async def test_a_host_that_never_says_hello_is_killed_and_found(tmp_path: Path):
    watched = Watched(tmp_path, twist="time.sleep(600)", hello_limit=0.3)
    running = asyncio.create_task(watched.host.run())
    await watched.until(lambda: watched.host.problem)
    [finding] = watched.host.findings()
    assert "did not report ready" in finding.message and "host.log" in finding.remedy
    assert watched.host.pid is None
    await watched.host.stop()
    await running


async def test_what_a_host_left_in_its_group_ends_with_it(tmp_path: Path):
    twist = "subprocess.Popen(['sleep', '600']); subprocess.Popen(['sleep', '600'])"
    watched = Watched(tmp_path, twist=twist)
    running = asyncio.create_task(watched.host.run())
    await watched.until(lambda: watched.host.ready)
    left = psutil.Process(watched.host.pid).children(recursive=True)
    assert len(left) == 2
    os.kill(watched.host.pid or 0, signal.SIGKILL)
    await watched.until(lambda: watched.host.problem)
    await gone(left)
    await watched.host.stop()
    await running


async def test_each_process_has_a_secret_of_its_own_that_ends_with_it(tmp_path: Path):
    watched = Watched(tmp_path)
    running = asyncio.create_task(watched.host.run())
    await watched.until(lambda: watched.host.ready)
    (first,) = watched.configured
    assert watched.secrets.resolve(first) == ComponentPrincipal(Component.TRIGGERER, "default")
    os.kill(watched.host.pid or 0, signal.SIGKILL)
    await watched.until(lambda: watched.host.ready and len(watched.configured) == 2)
    assert watched.secrets.resolve(first) is None
    assert watched.secrets.resolve(watched.configured[1]) is not None
    await watched.host.stop()
    await running
    assert len(watched.secrets) == 0


async def test_a_cancelled_host_leaves_nothing_running(tmp_path: Path):
    watched = Watched(tmp_path)
    running = asyncio.create_task(watched.host.run())
    await watched.until(lambda: watched.host.ready)
    process = psutil.Process(watched.host.pid)
    await aiotasks.cancel(running)
    assert not process.is_running()
