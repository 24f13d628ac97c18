"""How a request gets to the plane and its answer back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from tradewind_agent.http.responses import ReceivedResponse

CONNECT_LIMIT = 10.0  # seconds for a connection, and again for TLS on it
KEPT_FOR = 20.0  # seconds an idle connection is kept

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer, as it comes and decompressed: twice the largest request of a Deployment by default. A plane that
sends more is faulty or hostile; without a limit 600 kB of gzip grow to gigabytes here."""
LEAST_PACE = 8 * 1024
"""Bytes a second an answer has to come with once the time for its first byte is over."""


class ResponseTooLarge(ConnectionError):
    """An answer is larger than `LARGEST_ANSWER`."""

    def __init__(self) -> None:
        super().__init__(f"the answer is larger than {LARGEST_ANSWER // 2**20} MiB")


class Transport(Protocol):
    """A pool of connections to one plane. It follows no redirects, keeps no cookies and never asks twice. An answer that is
    larger than `LARGEST_ANSWER`, or comes slower than `LEAST_PACE`, is a broken connection."""

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, *, timeout: float
    ) -> ReceivedResponse:
        """The answer, whatever its status. `path` is under the protocol's prefix, with its query; `timeout` is in
        seconds, for each step after the connection is there. Raises PlaneUnreachable, reachability untold."""

    async def aclose(self) -> None:
        """Close every connection. Idempotent."""
