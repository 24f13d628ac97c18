"""How long to wait for something that has to happen: longer on a machine that is busy with something else."""

from __future__ import annotations

import os
from collections.abc import Callable

from support import airflow_rest

_MOST = 6.0


def stretched(seconds: float) -> float:
    """`seconds` on this machine as it is now. Not for a promise in seconds, which holds on an idle machine or not at all."""
    busy = os.getloadavg()[0] / (os.cpu_count() or 1)
    return seconds * min(max(1.0, busy / 2), _MOST)


def eventually(condition: Callable[[], bool], *, timeout: float, what: Callable[[], str] | str) -> None:
    """As `airflow_rest.eventually`, with a stretched timeout."""
    airflow_rest.eventually(condition, timeout=stretched(timeout), what=what)
