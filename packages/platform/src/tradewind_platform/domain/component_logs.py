"""Logs of the components of a Deployment: which there are, and what is masked in their lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import Enum
from typing import Final

MOST_LINES: Final = 2000
"""In one answer."""
FORMER_KEPT: Final = timedelta(days=30)
"""So long after a secret was replaced or removed, lines are shown without it."""
MOST_FORMER: Final = 50
"""Values that one variable had, the newest, by which lines are masked."""
_SHORTEST: Final = 6
"""A shorter value is no secret that can be told from other text."""
_MASK: Final = "***"


class Component(str, Enum):
    """A program of a Deployment that has a log. The names are part of the API."""

    API_SERVER = "api-server"
    SCHEDULER = "scheduler"
    MIGRATE = "migrate"


def masked(lines: Iterable[str], secrets: Iterable[str]) -> Sequence[str]:
    """The lines, with stars in the place of each secret. One of several lines is looked for line by line."""
    parts = {part for one in secrets for part in _parts(one)}
    if not parts:
        return list(lines)
    # The longest first: a secret that begins another one would leave the rest of that one.
    wanted = re.compile("|".join(re.escape(one) for one in sorted(parts, key=len, reverse=True)))
    return [wanted.sub(_MASK, line) for line in lines]


def can_be_masked(secret: str) -> bool:
    """Whether lines can be shown without this value."""
    return bool(_parts(secret))


def _parts(secret: str) -> list[str]:
    return [part for part in secret.splitlines() if len(part) >= _SHORTEST]
