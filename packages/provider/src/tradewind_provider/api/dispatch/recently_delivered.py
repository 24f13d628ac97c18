"""What each session was answered with a moment ago."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Final
from uuid import UUID

AGAIN_SECONDS: Final = 5.0
"""What was delivered is not new for this long, so that what an agent cannot act on at once makes no loop of polls. It
is in every answer all the same."""


class RecentlyDelivered:
    """Commands, offers and unknown attempts, by session."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._delivered: dict[UUID, dict[Hashable, float]] = {}

    def is_any_new(self, session_id: UUID, things: Iterable[Hashable]) -> bool:
        """True when one of `things` was not delivered in the last seconds."""
        since = self._monotonic() - AGAIN_SECONDS
        delivered = {one: at for one, at in self._delivered.get(session_id, {}).items() if at > since}
        if delivered:
            self._delivered[session_id] = delivered
        else:
            self._delivered.pop(session_id, None)
        return any(one not in delivered for one in things)

    def note(self, session_id: UUID, things: Iterable[Hashable]) -> None:
        """Note that `things` are delivered to the session now."""
        moment = self._monotonic()
        for one in things:
            self._delivered.setdefault(session_id, {}).setdefault(one, moment)
