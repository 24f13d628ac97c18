"""Which versions of Airflow a task environment may have: the plane's minor, or the one before it. No I/O.

A site is upgraded after its plane. Until then its workers run with the minor that they have.
"""

from __future__ import annotations

import re


def skew(airflow: str, planes: str) -> str:
    """Why an environment with the version `airflow` cannot run work of a plane with `planes`; empty when it can, or when
    one of the two is not known."""
    theirs, ours = _minor(airflow), _minor(planes)
    if theirs is None or ours is None or theirs == ours or theirs == (ours[0], ours[1] - 1):
        return ""
    if theirs > ours:
        return f"Airflow {airflow} is newer than the plane's {planes}: a plane is upgraded first"
    return f"Airflow {airflow} is more than one minor behind the plane's {planes}: it cannot run its work"


def remedy(planes: str) -> str:
    """What to do about a skew."""
    ours = _minor(planes)
    assert ours is not None
    return f"Install apache-airflow-core {ours[0]}.{ours[1]}.x in it, or upgrade the plane"


def _minor(version: str) -> tuple[int, int] | None:
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else None
