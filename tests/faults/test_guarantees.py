"""Every promise of `docs/reference/guarantees.md` names the test that proves it, and that test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "guarantees.md"


def named() -> list[tuple[str, str]]:
    """(file, test) of each proof the page names."""
    return re.findall(r"`([\w/.-]+\.py)::(test_\w+)`", PAGE.read_text())


def names_in(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if hasattr(node, "name")}


def test_every_proof_the_page_names_exists() -> None:
    missing = [
        f"{file}::{test}"
        for file, test in named()
        if not (ROOT / file).exists() or test not in names_in(ROOT / file)
    ]
    assert not missing


def test_every_row_of_the_page_names_its_proof() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    unproven = [
        row for row in rows if "::test_" not in row and not re.match(r"\| *(:?-+|[Ww]hat |[Aa]sked)", row)
    ]
    assert not unproven


def test_every_test_of_faults_is_on_the_page() -> None:
    on_page = {test for _, test in named()}
    here = {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        if path.name not in (Path(__file__).name, "test_compared_with_edge3.py")
        for name in names_in(path)
        if name.startswith("test_")
    }
    assert here <= on_page, sorted(here - on_page)
