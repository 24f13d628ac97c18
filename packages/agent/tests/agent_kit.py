"""An agent with a fake plane and fake hosts, for tests under the loop's own clock."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx

from tradewind_agent.agent import Agent
from tradewind_agent.kits import aiotasks
from tradewind_agent.settings import Settings
from tradewind_agent.testing import FakeLauncher, FakePlane, LosingAnswers


class AgentUnderTest:
    """Runs the real agent inside `async with`; leaving stops it at once and raises what ended it."""

    def __init__(self, plane: FakePlane, state_dir: Path) -> None:
        self.plane = plane
        self.launcher = FakeLauncher()
        self.network = LosingAnswers(httpx.ASGITransport(app=plane))
        self.collector: httpx.AsyncBaseTransport | None = None  # the way to a collector of traces
        self._options: dict[str, Any] = {
            "plane_url": "http://plane.test",
            "token": plane.token,
            "name": "site-1",
            "state_dir": state_dir,
            "components": ["worker"],
            "metrics_port": 0,
        }

    def with_settings(self, **options: Any) -> AgentUnderTest:
        self._options.update(options)
        return self

    def again(self) -> AgentUnderTest:
        """The next life of the same agent."""
        self.launcher = FakeLauncher()
        return self

    async def ready(self) -> None:
        """Every host is ready and the plane knows it."""
        named = {each.name for each in self.agent.settings.task_environments}
        await self.plane.until(
            lambda: (
                self.plane.sessions
                and self.plane.session.polls
                and {room.environment for room in self.plane.session.polls[-1][1].room} == named
            )
        )

    async def ended(self) -> str:
        return await asyncio.shield(self._task)

    async def __aenter__(self) -> AgentUnderTest:
        loop = asyncio.get_running_loop()
        self.agent = Agent(
            Settings(**{"clean": False, **self._options}),  # its environments are fakes
            transport=self.network,
            launcher=self.launcher,
            now=lambda: 1e9 + loop.time(),
            traces_transport=self.collector,
        )
        self.launcher.gateway = lambda *request: self.agent.gateway(*request)
        self._task = asyncio.create_task(self.agent.run(), name="agent under test")
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if not self._task.done():
            await aiotasks.cancel(self._task)
        elif kind is None:
            self._task.result()
        left = {each for each in asyncio.all_tasks() if each is not asyncio.current_task()}
        await asyncio.sleep(0)
        left = {each for each in left if not each.done()}
        assert not left, f"left running: {[each.get_name() for each in left]}"
