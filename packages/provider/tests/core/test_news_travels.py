"""News reaches those who wait, once it is true."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tradewind_provider import notifications
from tradewind_provider.airflow.database import create_session
from tradewind_provider.notifications import transport


def announce(*topics: str, fail: bool = False) -> None:
    with create_session() as db:
        for topic in topics:
            notifications.publish(db, topic)
        if fail:
            raise RuntimeError("rolled back")


@pytest.fixture
async def hub() -> AsyncIterator[notifications.Hub]:
    one = notifications.Hub()
    async with one.receiving():
        # the receiver says "something may have been missed" once it listens
        assert await one.wait(notifications.WORK, timeout=5)
        yield one


async def test_an_announcement_wakes_who_waits_for_its_topic(hub: notifications.Hub) -> None:
    work = asyncio.create_task(hub.wait(notifications.WORK, timeout=5))
    dags = asyncio.create_task(hub.wait(notifications.DAGS, timeout=0.5))
    await asyncio.sleep(0)
    await asyncio.to_thread(announce, notifications.WORK)
    assert await work is True
    assert await dags is False


async def test_what_is_rolled_back_is_not_news(hub: notifications.Hub) -> None:
    waits = asyncio.create_task(hub.wait(notifications.WORK, timeout=0.5))
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError):
        await asyncio.to_thread(announce, notifications.WORK, fail=True)
    assert await waits is False


async def test_news_in_a_savepoint_is_told_only_at_the_commit(hub: notifications.Hub) -> None:
    waits = asyncio.create_task(hub.wait(notifications.WORK, timeout=5))
    await asyncio.sleep(0)
    db_session = create_session()
    with db_session as db:
        with db.begin_nested():
            notifications.publish(db, notifications.WORK)
        await asyncio.sleep(0.3)
        assert not waits.done()
    assert await waits is True


async def test_news_between_looking_and_waiting_is_not_lost(hub: notifications.Hub) -> None:
    with hub.subscribe(notifications.WORK) as news:
        news.clear()
        await asyncio.to_thread(announce, notifications.WORK)
        assert await news.wait(5) is True


async def test_every_process_hears_of_it(hub: notifications.Hub) -> None:
    other = notifications.Hub()
    async with other.receiving():
        assert await other.wait(notifications.WORK, timeout=5)
        both = [asyncio.create_task(one.wait(notifications.TRIGGERS, timeout=5)) for one in (hub, other)]
        await asyncio.sleep(0)
        await asyncio.to_thread(announce, notifications.TRIGGERS)
        assert await asyncio.gather(*both) == [True, True]


async def test_a_hub_wakes_its_own_process_without_any_wire() -> None:
    hub = notifications.Hub()
    waits = asyncio.create_task(hub.wait(notifications.AGENTS, timeout=5))
    await asyncio.sleep(0)
    await asyncio.to_thread(hub.wake, notifications.AGENTS)
    assert await waits is True


def test_a_socket_nobody_reads_is_removed_and_paths_may_be_long(tmp_path: Path) -> None:
    directory = tmp_path / ("deep" * 30)
    directory.mkdir()
    dead = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with transport.short_path(directory) as prefix:
        dead.bind(f"{prefix}/dead.sock")
    dead.close()
    transport.send_datagrams(directory, notifications.WORK)
    assert os.listdir(directory) == []


def test_sending_to_nobody_is_no_trouble(tmp_path: Path) -> None:
    transport.send_datagrams(tmp_path / "missing", notifications.WORK)
