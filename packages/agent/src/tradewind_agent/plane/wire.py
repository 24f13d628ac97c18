"""How a request gets to the plane and its answer back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tradewind_agent.answers import Received

CONNECT_LIMIT = 10.0  # seconds for a connection, and again for TLS on it
KEPT_FOR = 20.0  # seconds a connection nobody uses is kept


class Wire(Protocol):
    """A pool of connections to one plane. It follows no redirects, keeps no cookies and never asks twice."""

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, timeout: float
    ) -> Received:
        """The answer, whatever its status. `path` is under the protocol's prefix, with its query; `timeout` is in
        seconds, for each step after the connection is there. Raises PlaneUnreachable, reachability untold."""

    async def aclose(self) -> None:
        """Close every connection. Idempotent."""
