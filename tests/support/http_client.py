"""A client of an application without a socket, whose requests are answered by one event loop of this process."""

from __future__ import annotations

import atexit
from functools import cache
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from fastapi.testclient import TestClient


class Client(TestClient):
    """A `TestClient` that starts no thread and no event loop for each request: those of all clients share one, as in a server."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.portal = _portal()


@cache
def _portal() -> BlockingPortal:
    started = start_blocking_portal()
    atexit.register(started.__exit__, None, None, None)
    return started.__enter__()
