"""No folder of tests is run by nobody."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = set(re.findall(r"\b((?:tests|packages)/\w+)", (ROOT / "Makefile").read_text()))


def test_a_command_of_the_makefile_runs_each_folder_of_tests():
    folders = {path.relative_to(ROOT).parts[1] for path in (ROOT / "tests").glob("*/**/test_*.py")}
    assert folders
    assert {f"tests/{folder}" for folder in folders} <= NAMED


def test_the_fast_ring_runs_each_packages_tests():
    packages = {path.relative_to(ROOT).parts[1] for path in (ROOT / "packages").glob("*/tests/**/test_*.py")}
    assert packages
    assert {f"packages/{package}" for package in packages} <= NAMED
