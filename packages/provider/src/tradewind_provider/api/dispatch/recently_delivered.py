"""What each session was told a moment ago."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Final
from uuid import UUID

AGAIN_SECONDS: Final = 5.0
"""What an agent was told is not news for this long, so that what it cannot act on at once makes no loop of polls. It
is in every answer all the same."""


class RecentlyDelivered:
    """Commands, offers and unknown attempts, by session."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._told: dict[UUID, dict[Hashable, float]] = {}

    def fresh(self, session_id: UUID, things: Iterable[Hashable]) -> bool:
        """True when one of `things` was not told in the last seconds."""
        since = self._monotonic() - AGAIN_SECONDS
        told = {one: at for one, at in self._told.get(session_id, {}).items() if at > since}
        if told:
            self._told[session_id] = told
        else:
            self._told.pop(session_id, None)
        return any(one not in told for one in things)

    def tell(self, session_id: UUID, things: Iterable[Hashable]) -> None:
        """Note that the session is told `things` now."""
        moment = self._monotonic()
        for one in things:
            self._told.setdefault(session_id, {}).setdefault(one, moment)
