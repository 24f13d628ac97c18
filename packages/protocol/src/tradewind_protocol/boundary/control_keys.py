"""XComs that Airflow's scheduler reads itself: they pass between a site and the plane in their exact form."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_ID: Final = re.compile(r"[\w.-]{1,250}")  # Airflow's rule for Dag and task ids
_RUN_ID: Final = re.compile(r"[A-Za-z0-9_.~:+-]{1,250}")  # its rule for run ids


def _is_skip(value: Any) -> bool:
    """What SkipMixin leaves for the scheduler: {"followed" or "skipped": [task ids]}."""
    if not (isinstance(value, dict) and len(value) == 1):
        return False
    ((name, ids),) = value.items()
    return (
        name in ("followed", "skipped")
        and isinstance(ids, list)
        and all(isinstance(one, str) and _ID.fullmatch(one) for one in ids)
    )


def _is_run_id(value: Any) -> bool:
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


_EXACT: Final[Mapping[str, Callable[[Any], bool]]] = {
    "skipmixin_key": _is_skip,
    "trigger_run_id": _is_run_id,
}


def is_control(key: str, value: Any) -> bool:
    """Whether the XCom is one of them: under any other form it may be a task's own data."""
    exact = _EXACT.get(key)
    return exact is not None and exact(value)
