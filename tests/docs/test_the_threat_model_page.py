"""Every row of `docs/reference/threat-model.md` names tests that exist, and the figures are those of the suite."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "threat-model.md").read_text(encoding="utf-8")


def functions(path: Path) -> set[str]:
    return {node.name for node in ast.parse(path.read_text()).body if hasattr(node, "name")}


def rows() -> list[str]:
    """Those of the tables that end with a proof."""
    found, proven = [], False
    for line in PAGE.splitlines():
        if line.startswith("|"):
            if "Proof |" in line:
                proven = True
            elif proven and not line.startswith("|---"):
                found.append(line)
        else:
            proven = False
    return found


def test_every_proof_that_the_page_names_exists() -> None:
    named = re.findall(r"`([\w/.-]+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 20
    missing = [f"{file}::{test}" for file, test in named if test not in functions(ROOT / file)]
    assert not missing


def test_every_row_names_its_proof_or_says_what_does_not_hold() -> None:
    assert len(rows()) > 20
    for row in rows():
        *_, cannot, proof = [cell.strip() for cell in row.strip("|").split("|")]
        assert "::test_" in proof or (not cannot and proof), row


def test_the_figures_add_up() -> None:
    figures = [
        int(cell.replace(",", ""))
        for cell in re.findall(r"^\| [^|]+ \| [^|]+ \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    ]
    [total] = re.findall(r"\*\*([\d,]+)\*\* \|$", PAGE, re.MULTILINE)
    assert sum(figures) == int(total.replace(",", ""))
