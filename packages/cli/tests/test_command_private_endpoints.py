"""Private endpoints allowed from the command line."""

from __future__ import annotations

import json
from typing import Any

AWS, AZURE = "aws:vpce-08d2bf15fac5001c9", "azure:3735928559"


def test_an_endpoint_is_added_named_anew_and_removed_and_the_networks_stay(at_plane: Any, plane: Any) -> None:
    assert at_plane("private-endpoints", "add", AWS, "--name", "eu").exit_code == 0
    assert at_plane("private-endpoints", "add", AZURE).exit_code == 0
    result = at_plane("private-endpoints", "add", AZURE, "--name", "us", "--reason", "new site")
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "ENDPOINT                     NAME",
        f"{AWS}   eu",
        f"{AZURE}             us",
    ]
    assert "The public way is open." in result.stderr
    assert at_plane("private-endpoints", "remove", AWS).exit_code == 0
    assert [one.endpoint for one in plane.allowed.endpoints] == [AZURE]
    assert [one.network for one in plane.allowed.networks] == ["203.0.113.0/24"]
    missing = at_plane("private-endpoints", "remove", AWS)
    assert missing.exit_code != 0
    assert f"{AWS} is not on the list" in missing.stderr


def test_the_public_way_is_shut_and_opened(at_plane: Any, plane: Any) -> None:
    shut = at_plane("private-endpoints", "only", "on", "--force")
    assert "The public way is shut." in shut.stderr
    assert plane.asked[-1][3]["force"] is True
    assert json.loads(at_plane("private-endpoints", "list", "-o", "json").stdout)["private_only"] is True
    at_plane("private-endpoints", "only", "off")
    assert plane.allowed.private_only is False
