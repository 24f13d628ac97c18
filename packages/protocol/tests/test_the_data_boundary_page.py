"""docs/reference/data-boundary.md says what the code does."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def test_the_page_is_current() -> None:
    script = Path(__file__).parents[1] / "scripts" / "data_boundary_page.py"
    spec = importlib.util.spec_from_file_location("data_boundary_page", script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.page(), (
        "run: python packages/protocol/scripts/data_boundary_page.py"
    )
