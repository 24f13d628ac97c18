"""How long a command waits when the other side answers that it asks too often (429)."""

from __future__ import annotations

from typing import Final

import httpx

LONGEST: Final = 10.0
"""Seconds. One who is told to wait longer is told why instead, and not kept waiting."""
IN_ALL: Final = 60.0
"""Seconds that one request waits, however often it is sent again."""


class Patience:
    """Of one request: it may be sent again after 429, which says that nothing was done."""

    def __init__(self) -> None:
        self._left = IN_ALL

    def wait(self, answer: httpx.Response) -> float | None:
        """Seconds after which to send the request again, as Retry-After has them. None for any other answer, and for a wait that is
        too long."""
        if answer.status_code != httpx.codes.TOO_MANY_REQUESTS:
            return None
        asked = answer.headers.get("Retry-After", "")
        if not (asked.isascii() and asked.isdigit()):  # a date: no API of ours says one
            return None
        seconds = max(float(asked), 1.0)
        if seconds > min(LONGEST, self._left):
            return None
        self._left -= seconds
        return seconds
