"""Tasks with names, whose end is news."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any


async def cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until they have ended. Never raises for what they raise. Idempotent.

    Each is cancelled once, so that it can clean up for as long as that takes. A task that swallows its cancellation is
    waited for without end: `aiotime.within` does not swallow one, `asyncio.wait_for` may before Python 3.12.
    """
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.gather(*tasks, return_exceptions=True)


async def first_to_end(named: dict[str, Coroutine[Any, Any, Any]]) -> str:
    """Run side by side until one ends, then stop the others. Returns the name of the one that ended; raises what it
    raised. All of them are gone when this returns, also when it is cancelled."""
    tasks = [asyncio.create_task(work, name=name) for name, work in named.items()]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await cancel(*(task for task in tasks if not task.done()))
    ended = [task for task in tasks if task in done]  # in the order given, so that a tie has one answer
    for task in ended:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            raise error
    return ended[0].get_name()


async def any_of(waiting: Iterable[Coroutine[Any, Any, Any]], *, timeout: float | None = None) -> bool:
    """Wait until one of several is over. False when the time is up first; none of them is left behind."""
    tasks = [asyncio.ensure_future(each) for each in waiting]
    try:
        done, _ = await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        await cancel(*(task for task in tasks if not task.done()))
