"""Which version a Deployment that follows a minor of Airflow is upgraded to."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tradewind_platform.domain.catalogue import STABLE, Release
from tradewind_platform.domain.preflight import is_version, order


def require_minor(text: str) -> None:
    """Raises ValueError for what is no minor."""
    if re.fullmatch(r"[0-9]{1,4}\.[0-9]{1,4}", text) is None:
        raise ValueError(f"{text!r} is no minor of Airflow: write 3.3")


def next_version(now: str, minor: str, releases: Iterable[Release]) -> str:
    """The newest stable release of the minor, where it is newer than what runs; empty where there is none. A Deployment goes back
    to no older version, and over no minor."""
    if not is_version(now):
        return ""  # a backup that was restored has it
    before = order(now)
    wanted = tuple(int(part) for part in minor.split("."))
    if wanted not in (before[:2], (before[0], before[1] + 1)):
        return ""
    stable = (one.version for one in releases if one.channel == STABLE)
    return max(
        (one for one in stable if order(one)[:2] == wanted and order(one) > before), key=order, default=""
    )
