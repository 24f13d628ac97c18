"""The page of what a plane can ask of a site names a test for each refusal, and the tests exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "what-a-plane-can-ask.md"


def rows() -> list[tuple[str, str]]:
    """What the plane sends, and the proof, of each row of the table."""
    table = PAGE.read_text().split("## What is refused")[1].split("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [(sent, proof.strip("`")) for sent, _, proof in cells]


def test_the_table_is_found() -> None:
    assert len(rows()) > 10


@pytest.mark.parametrize(("sent", "proof"), rows())
def test_each_refusal_has_its_proof(sent: str, proof: str) -> None:
    file, _, name = proof.partition("::")
    tree = ast.parse((ROOT / file).read_text())
    found = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert name in found, f"{sent}: {file} has no test {name}"
