"""The page of the platform's roles says what the code has and what was measured."""

from __future__ import annotations

import importlib.util
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_current() -> None:
    spec = importlib.util.spec_from_file_location(
        "platform_roles_page", ROOT / "docs" / "scripts" / "platform_roles_page.py"
    )
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    assert made.PAGE.read_text() == made.page(), "run docs/scripts/platform_roles_page.py"
