"""Ending tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any

_AGAIN = 0.2


async def cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until they have ended, whatever with. When this is itself cancelled, that is not lost.

    Cancels again and again: until Python 3.12 `asyncio.wait_for` may swallow a cancellation that comes together with
    its result.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_AGAIN)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # retrieved, or asyncio logs that it never was


async def first(*tasks: asyncio.Future[Any]) -> None:
    """Wait until one of them has ended, then end the others."""
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(*tasks)
