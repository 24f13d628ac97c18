"""What holds for every test."""

from __future__ import annotations

import re
from typing import Any

import pytest

_RANDOM = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-|tw_(agent|session|local)_\w{20}|\d{10}\.\d")


def pytest_make_parametrize_id(config: pytest.Config, val: Any, argname: str) -> str | None:
    """Name a parameter that holds a fresh id or credential after its argument: names are the same in every process."""
    return argname if isinstance(val, str) and _RANDOM.search(val) else None
