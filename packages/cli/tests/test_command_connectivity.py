"""What the plane has seen of agents that do not connect, on the command line."""

from __future__ import annotations

import json
from typing import Any


def test_refused_tries_are_shown_with_what_to_do(at_plane: Any, plane: Any) -> None:
    result = at_plane("connectivity", "203.0.113.7", "--endpoint", "azure:3735928559")
    assert result.exit_code == 0
    header, row = result.stdout.splitlines()
    assert header.split() == ["LAST", "TRIES", "FROM", "ENDPOINT", "REASON", "MESSAGE"]
    assert "203.0.113.7" in row and "token_unknown" in row and "public" in row
    assert "What to do: check that it was copied whole" in result.stderr
    assert json.loads(at_plane("connectivity", "-o", "json").stdout)["refused"][0]["tries"] == 3
