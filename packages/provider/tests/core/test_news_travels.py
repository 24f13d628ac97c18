"""News reaches those who wait, once it is true."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tradewind_provider.seams import wires
from tradewind_provider.seams.database import create_session
from tradewind_provider.services import waking


def announce(*topics: str, fail: bool = False) -> None:
    with create_session() as db:
        for topic in topics:
            waking.announce(db, topic)
        if fail:
            raise RuntimeError("rolled back")


@pytest.fixture
async def hub() -> AsyncIterator[waking.Hub]:
    one = waking.Hub()
    async with one.receiving():
        # the receiver says "something may have been missed" once it listens
        assert await one.wait(waking.WORK, timeout=5)
        yield one


async def test_an_announcement_wakes_who_waits_for_its_topic(hub: waking.Hub) -> None:
    work = asyncio.create_task(hub.wait(waking.WORK, timeout=5))
    dags = asyncio.create_task(hub.wait(waking.DAGS, timeout=0.5))
    await asyncio.sleep(0)
    await asyncio.to_thread(announce, waking.WORK)
    assert await work is True
    assert await dags is False


async def test_what_is_rolled_back_is_not_news(hub: waking.Hub) -> None:
    waits = asyncio.create_task(hub.wait(waking.WORK, timeout=0.5))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(announce, waking.WORK, fail=True)
    assert await waits is False


async def test_news_in_a_savepoint_is_told_only_at_the_commit(hub: waking.Hub) -> None:
    waits = asyncio.create_task(hub.wait(waking.WORK, timeout=5))
    await asyncio.sleep(0)
    db_session = create_session()
    with db_session as db:
        with db.begin_nested():
            waking.announce(db, waking.WORK)
        await asyncio.sleep(0.3)
        assert not waits.done()
    assert await waits is True


async def test_news_between_looking_and_waiting_is_not_lost(hub: waking.Hub) -> None:
    with hub.listen(waking.WORK) as news:
        news.clear()
        await asyncio.to_thread(announce, waking.WORK)
        assert await news.wait(5) is True


async def test_every_process_hears_of_it(hub: waking.Hub) -> None:
    other = waking.Hub()
    async with other.receiving():
        assert await other.wait(waking.WORK, timeout=5)
        both = [asyncio.create_task(one.wait(waking.TRIGGERS, timeout=5)) for one in (hub, other)]
        await asyncio.sleep(0)
        await asyncio.to_thread(announce, waking.TRIGGERS)
        assert await asyncio.gather(*both) == [True, True]


async def test_a_hub_wakes_its_own_process_without_any_wire() -> None:
    hub = waking.Hub()
    waits = asyncio.create_task(hub.wait(waking.AGENTS, timeout=5))
    await asyncio.sleep(0)
    await asyncio.to_thread(hub.wake, waking.AGENTS)
    assert await waits is True


def test_a_socket_nobody_reads_is_removed_and_paths_may_be_long(tmp_path: Path) -> None:
    directory = tmp_path / ("deep" * 30)
    directory.mkdir()
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with wires.short_path(directory) as prefix:
        dead.bind(f"{prefix}/dead.sock")
    dead.close()
    wires.send_datagrams(directory, waking.WORK)
    assert os.listdir(directory) == []


def test_sending_to_nobody_is_no_trouble(tmp_path: Path) -> None:
    wires.send_datagrams(tmp_path / "missing", waking.WORK)
