"""Tokens rotated and addresses allowed from the command line."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tradewind_protocol.errors import Code, Refusal

SECRET = "tw_agent_" + "s" * 43
TOKEN_ID = "00000000-0000-0000-0000-000000000001"
GRANT_ID = "00000000-0000-0000-0000-000000000009"


def networks(plane: Any) -> list[tuple[str, str]]:
    return [(one.network, one.description) for one in plane.allowed.networks]


def test_a_rotated_token_is_the_only_thing_on_standard_output(at_plane: Any, plane: Any) -> None:
    result = at_plane("tokens", "rotate", "ci", "--overlap-hours", "2", "--reason", "yearly")
    assert result.exit_code == 0, result.output
    assert result.stdout == SECRET + "\n"
    assert plane.asked[-1] == (
        "POST",
        f"/tokens/{TOKEN_ID}/rotate",
        "",
        {"reason": "yearly", "overlap_hours": 2.0, "expires_in_days": None},
    )


def test_a_rotated_token_can_go_to_a_private_file(at_plane: Any, tmp_path: Path) -> None:
    path = tmp_path / "token"
    result = at_plane("tokens", "rotate", "ci", "--to-file", str(path))
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == (SECRET + "\n", 0o600)
    assert SECRET not in result.output


def test_the_list_is_a_table_for_people_and_json_for_programs(at_plane: Any) -> None:
    result = at_plane("allowed-ips", "list")
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "NETWORK          DESCRIPTION",
        "203.0.113.0/24   office",
    ]
    found = json.loads(at_plane("allowed-ips", "list", "-o", "json").stdout)
    assert (found["revision"], found["networks"][0]["network"]) == (3, "203.0.113.0/24")


def test_a_network_is_added_and_removed_and_the_others_stay(at_plane: Any, plane: Any) -> None:
    added = at_plane(
        "allowed-ips", "add", "2001:db8::/32", "10.0.0.1", "203.0.113.0/24", "--description", "VPN"
    )
    assert added.exit_code == 0, added.output
    assert networks(plane) == [
        ("203.0.113.0/24", "office"),
        ("2001:db8::/32", "VPN"),
        ("10.0.0.1/32", "VPN"),
    ]
    at_plane("allowed-ips", "remove", "203.0.113.0/24", "--force", "--reason", "moved")
    assert networks(plane) == [("2001:db8::/32", "VPN"), ("10.0.0.1/32", "VPN")]
    assert (plane.asked[-1][3]["force"], plane.asked[-1][3]["reason"]) == (True, "moved")


def test_a_change_of_somebody_else_is_not_lost(at_plane: Any, plane: Any) -> None:
    plane.changed_meanwhile = 2
    assert at_plane("allowed-ips", "add", "10.0.0.0/8").exit_code == 0
    assert [one[0] for one in plane.asked] == ["GET", "PUT"] * 3
    plane.changed_meanwhile = 99
    assert at_plane("allowed-ips", "add", "172.16.0.0/12").exit_code == 1


def test_a_list_is_replaced_by_another_and_by_none_only_when_that_is_said(at_plane: Any, plane: Any) -> None:
    assert at_plane("allowed-ips", "set", "10.0.0.0/8").exit_code == 0
    assert networks(plane) == [("10.0.0.0/8", "")]
    assert at_plane("allowed-ips", "set").exit_code == 2
    assert at_plane("allowed-ips", "set", "10.0.0.0/8", "--from-anywhere").exit_code == 2
    result = at_plane("allowed-ips", "remove", "10.0.0.0/8")
    assert result.exit_code == 1 and "--from-anywhere" in result.stderr
    assert "anywhere" in at_plane("allowed-ips", "set", "--from-anywhere").stdout
    assert networks(plane) == []


@pytest.mark.parametrize("network", ["10.0.0", "10.1.2.3/8", "example.com"])
def test_what_is_no_network_is_named_before_the_plane_is_asked(
    at_plane: Any, plane: Any, network: str
) -> None:
    result = at_plane("allowed-ips", "add", network)
    assert result.exit_code == 2 and network in result.stderr
    assert plane.asked == []


def test_what_is_not_on_the_list_cannot_be_removed(at_plane: Any, plane: Any) -> None:
    assert at_plane("allowed-ips", "remove", "192.0.2.0/24").exit_code == 1
    assert [one[0] for one in plane.asked] == ["GET"]


def test_a_list_that_locks_somebody_out_says_what_to_do(at_plane: Any, plane: Any) -> None:
    plane.refusal = Refusal(
        error=Code.CONFLICT, message="this list would lock out 192.0.2.1", remedy="force the list"
    )
    result = at_plane("allowed-ips", "set", "10.0.0.0/8")
    assert result.exit_code == 1
    assert "force the list" in result.stderr


def test_you_are_told_who_you_are_and_what_you_may(at_plane: Any) -> None:
    said = at_plane("me").output
    assert "ada" in said and "read, operate" in said and "203.0.113.7" in said
    assert json.loads(at_plane("me", "-o", "json").stdout)["may"] == ["read", "operate"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_the_new_verbs(tradewind: Any, shell: str) -> None:
    line = "tradewind allowed-ips "
    env = {"_TRADEWIND_COMPLETE": f"{shell}_complete", "COMP_WORDS": line, "COMP_CWORD": "2"}
    if shell == "fish":
        env["COMP_CWORD"] = ""
    result = tradewind(env=env)
    assert {"list", "set", "add", "remove"} <= set(result.output.replace(",", " ").split())


def test_site_access_is_a_table_for_people_and_json_for_programs(at_plane: Any) -> None:
    result = at_plane("site-access", "list")
    head, row = (line.split() for line in result.stdout.splitlines())
    assert head == ["SITE", "MAY", "DAGS", "OF", "CREATED", "BY", "CREATED"]
    assert row[:4] == ["reporting", "read", "warehouse", "ada"]
    found = json.loads(at_plane("site-access", "list", "-o", "json").stdout)
    assert found["items"][0]["access"] == "read"


def test_access_is_added_and_removed_by_its_names(at_plane: Any, plane: Any) -> None:
    added = at_plane("site-access", "add", "ops", "start", "*", "--reason", "nightly")
    assert added.stdout == "Agents of site 'ops' may start Dags of every site, and of the plane.\n"
    asked = {"reason": "nightly", "site": "ops", "other": "*", "access": "start"}
    assert plane.asked[-1] == ("POST", "/site-access", "", asked)
    removed = at_plane("site-access", "remove", "reporting", "read", "warehouse", "--reason", "over")
    assert removed.exit_code == 0, removed.output
    assert plane.asked[-1] == ("DELETE", f"/site-access/{GRANT_ID}", "reason=over", None)
    absent = at_plane("site-access", "remove", "reporting", "write", "warehouse")
    assert absent.exit_code == 1 and "site-access list" in absent.stderr
    assert at_plane("site-access", "add", "ops", "own", "*").exit_code == 2
