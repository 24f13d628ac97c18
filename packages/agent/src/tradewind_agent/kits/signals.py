"""Signals as requests to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_stop(first: Callable[[str], None], again: Callable[[str], None]) -> Iterator[None]:
    """While inside, the first SIGTERM or SIGINT calls `first` and every later one `again`, with the signal's name.

    The loop's handlers are used: they run between callbacks of the loop and never inside one. A loop that is not in the
    main thread (a test, an embedding program) gets no handlers, and the embedding program stops it by other means.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def stop(name: str) -> None:
        nonlocal asked
        (again if asked else first)(name)
        asked = True

    installed = []
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop, number.name)
        except (ValueError, RuntimeError, NotImplementedError):
            continue
        installed.append(number)
    try:
        yield
    finally:
        for number in installed:
            loop.remove_signal_handler(number)
