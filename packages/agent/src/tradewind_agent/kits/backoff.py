"""How long to wait after a failure."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Doubling waits with jitter: between half of each step and all of it, so that a herd spreads out."""

    def __init__(self, *, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._failures = 0

    def after_failure(self, *, first: float, most: float) -> float:
        """Seconds to wait now."""
        step = min(most, first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return step * (0.5 + 0.5 * self._chance())

    def after_success(self) -> None:
        self._failures = 0
