"""Notices that the API server is about to stop, before it waits for its requests to end."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def at_signal(call: Callable[[], None]) -> Iterator[None]:
    """While entered, SIGTERM and SIGINT call `call` on this event loop before they do what they did.

    uvicorn ends the lifespan only after all requests, and a poll may be held for half a minute: without this every
    restart of an API server would take that long. Does nothing outside of the main thread.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before: dict[int, Callable[[int, FrameType | None], object]] = {}

    def on_signal(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(call)
        handler = before[number]
        if callable(handler):
            handler(number, frame)

    for number in (int(signal.SIGTERM), int(signal.SIGINT)):
        if callable(
            handler := signal.getsignal(number)
        ):  # a default action would end the process: leave it alone
            before[number] = handler
            signal.signal(number, on_signal)
    try:
        yield
    finally:
        for number, previous in before.items():
            if signal.getsignal(number) is on_signal:
                signal.signal(number, previous)
