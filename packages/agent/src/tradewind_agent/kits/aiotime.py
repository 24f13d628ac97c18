"""Waiting that can be cut short."""

from __future__ import annotations

import asyncio


async def sleep(delay: float, wakeup: asyncio.Event) -> bool:
    """Sleep for `delay` seconds or until `wakeup` is set. True when it was."""
    if delay <= 0:
        await asyncio.sleep(0)
        return wakeup.is_set()
    try:
        await asyncio.wait_for(wakeup.wait(), timeout=delay)
    except asyncio.TimeoutError:
        return False
    return True
