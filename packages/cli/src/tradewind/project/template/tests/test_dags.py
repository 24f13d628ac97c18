"""Every Dag file parses in the site's environment, under the site's data policy. Needs pytest and the command `tradewind`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def checked() -> dict[str, Any]:
    command = [
        "tradewind",
        "--output",
        "json",
        "project",
        "check",
        "--project",
        str(Path(__file__).parents[1]),
    ]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def test_nothing_is_wrong(checked: dict[str, Any]) -> None:
    assert [one for one in checked["findings"] if one["level"] == "error"] == []


def test_the_dags_are_there(checked: dict[str, Any]) -> None:
    assert "example" in checked["dags"]
