"""Waiting that can be cut short."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def within(work: Awaitable[T], timeout: float) -> T:
    """The result of `work`, which is cancelled when it takes more than `timeout` seconds: asyncio.TimeoutError.

    A cancellation of the caller always arrives. `asyncio.wait_for` loses it before Python 3.12 when the result comes in
    the same moment, and the loop that called it never ends.
    """
    if sys.version_info >= (3, 11):
        async with asyncio.timeout(timeout):
            return await work
    task, expired = asyncio.current_task(), False
    assert task is not None

    def expire() -> None:
        nonlocal expired
        expired = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(timeout, expire)
    try:
        return await work
    except asyncio.CancelledError:
        if expired:
            raise asyncio.TimeoutError from None
        raise
    finally:
        timer.cancel()


async def sleep(delay: float, wakeup: asyncio.Event) -> bool:
    """Sleep for `delay` seconds or until `wakeup` is set. True when it was."""
    if delay <= 0:
        await asyncio.sleep(0)
        return wakeup.is_set()
    try:
        await within(wakeup.wait(), delay)
    except asyncio.TimeoutError:
        return False
    return True
