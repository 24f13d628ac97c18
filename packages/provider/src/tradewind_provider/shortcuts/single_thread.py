"""A request to an application of Airflow's, answered from beginning to end in one thread.

Airflow's endpoints wait for the database, so FastAPI hands each of them to a thread, and each step into and out of its
database session too: some seven hand-overs for one request. Here a thread with an event loop of its own takes the whole
request, and does on the spot what would be handed over: nobody else waits for that loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final

from anyio import to_thread
from starlette.types import ASGIApp, Message, Scope

_MOST: Final = 40  # threads, as many as FastAPI would use


class _Own(threading.local):
    loop: asyncio.AbstractEventLoop | None = None
    answers = False


_own = _Own()
_hand_over = to_thread.run_sync
_threads = ThreadPoolExecutor(_MOST, thread_name_prefix="tradewind-door")


async def _run_sync(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return func(*args) if _own.answers else await _hand_over(func, *args, **options)


to_thread.run_sync = _run_sync  # type: ignore[assignment]


async def answered(app: ASGIApp, scope: Scope, body: bytes) -> list[Message]:
    """What the application sends, all of it. Raises what it raises, which may be after it has sent something. Only for
    applications that need no event loop of theirs in particular, as endpoints with Airflow's asynchronous database
    sessions do."""
    context = copy_context()
    return await asyncio.get_running_loop().run_in_executor(
        _threads, lambda: context.run(_answer, app, scope, body)
    )


def _answer(app: ASGIApp, scope: Scope, body: bytes) -> list[Message]:
    if _own.loop is None:
        _own.loop = asyncio.new_event_loop()
    said: list[Message] = []
    asked = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(asked, {"type": "http.disconnect"})

    async def send(message: Message) -> None:
        said.append(message)

    async def whole() -> None:
        await app(scope, receive, send)

    _own.answers = True
    try:
        _own.loop.run_until_complete(whole())
    finally:
        _own.answers = False
    return said
