"""A try that no agent ran, and a plane with a storage of logs: where the lines of the log come from."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tradewind_provider.settings import Settings
from tradewind_provider.task_logs import TaskLogs

from .log_scenes import PATH, TI, Storage, asked, commands_left, ran, sends
from .scenes import SETTINGS, Clock, Plane


@pytest.fixture
def settings() -> Settings:
    return replace(SETTINGS, live_log_seconds=5.0, live_log_bytes=100_000)


ELSEWHERE = SimpleNamespace(**{**vars(TI), "hostname": "scheduler-1"})


class BrokenStorage:
    def read(self, path: str, ti: Any) -> Any:
        raise OSError("no route to the bucket")


def read_with(settings: Settings, clock: Clock, storage: Any, ti: Any) -> tuple[list[str], list[str]]:
    sources, streams = TaskLogs(storage=storage, settings=settings, clock=clock).stream(PATH, ti)
    return sources, [line for lines in streams for line in lines]


async def test_a_try_that_no_agent_ran_is_left_to_airflow(
    plane: Plane, settings: Settings, clock: Clock
) -> None:
    await plane.agent().opens()
    assert read_with(settings, clock, None, ELSEWHERE) == ([], [])
    never = SimpleNamespace(**{**vars(TI), "hostname": ""})
    assert read_with(settings, clock, None, never) == ([], [])


@pytest.mark.parametrize("newer", [True, False])
def test_a_try_that_no_agent_ran_is_read_from_the_storage_the_plane_has(
    settings: Settings, clock: Clock, newer: bool
) -> None:
    stored = Storage("one", "two", newer=newer)
    assert read_with(settings, clock, stored, ELSEWHERE) == ([f"stored {PATH}"], ["one", "two"])


async def test_a_finished_try_of_an_agent_is_read_from_the_storage_when_it_has_it(
    plane: Plane, settings: Settings, clock: Clock
) -> None:
    await ran(plane, clock)
    assert read_with(settings, clock, Storage("kept"), TI) == ([f"stored {PATH}"], ["kept"])
    assert commands_left() == 0


@pytest.mark.parametrize("storage", [Storage(), Storage(newer=False), BrokenStorage()])
async def test_what_the_storage_does_not_have_comes_from_the_agent(
    plane: Plane, settings: Settings, clock: Clock, storage: Any
) -> None:
    agent = await ran(plane, clock)
    result = asyncio.create_task(asyncio.to_thread(read_with, settings, clock, storage, TI))
    await sends(agent, await asked(agent), 0, "from the site", last=True)
    assert (await result)[1] == ["from the site"]


async def test_a_running_try_of_an_agent_comes_from_the_agent_whatever_the_storage_has(
    plane: Plane, settings: Settings, clock: Clock
) -> None:
    agent = await ran(plane, clock)
    runs = SimpleNamespace(**{**vars(TI), "state": "running"})
    result = asyncio.create_task(
        asyncio.to_thread(read_with, settings, clock, Storage("before it was deferred"), runs)
    )
    await sends(agent, await asked(agent), 0, "all of it", last=True)
    assert (await result)[1] == ["all of it"]
