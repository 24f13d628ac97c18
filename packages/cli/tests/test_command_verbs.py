"""What each verb asks of the plane, and what it prints."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tradewind_protocol import states
from tradewind_protocol.errors import Code, Refusal

from .conftest import AGENT

AGENT_ID = "00000000-0000-0000-0000-000000000002"
ATTEMPT_ID = "00000000-0000-0000-0000-000000000004"
SECRET = "tw_agent_" + "s" * 43


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def test_agents_are_a_table_for_people(at_plane: Any) -> None:
    assert lines(at_plane("agents", "list").output) == [
        "NAME   SITE      STATE     LAST SEEN   COMPONENTS         QUEUES        SLOTS   VERSION   POLICY   NOTE",
        "eu-1   default   healthy   4 s ago     worker,triggerer   default,gpu   1/20    0.1.0     strict",
    ]


def test_the_same_facts_are_json_for_programs(at_plane: Any) -> None:
    result = at_plane("agents", "list", "--output", "json")
    page = json.loads(result.stdout)
    assert page["total"] == 1
    assert page["items"][0]["name"] == "eu-1"
    assert page["items"][0]["slots_used"] == 1


def test_output_may_be_chosen_before_the_verb_as_well(at_plane: Any) -> None:
    assert json.loads(at_plane("-o", "json", "queues", "list").stdout)["items"][0]["queue"] == "gpu"


def test_an_agent_is_shown_with_what_runs_on_it(at_plane: Any) -> None:
    shown = at_plane("agents", "show", "eu-1").output
    assert "1 of 20 used" in shown
    assert "etl.load [manual, try 1]" in shown


@pytest.mark.parametrize(
    ("endpoint", "way"), [("", "public"), ("azure:3735928559", "private endpoint azure:3735928559")]
)
def test_an_agent_is_shown_with_the_way_that_it_comes(
    at_plane: Any, plane: Any, endpoint: str, way: str
) -> None:
    came = {"address": "10.20.0.10", "endpoint": endpoint, "way_since": plane.agents[0].opened_at}
    plane.agents = [plane.agents[0].model_copy(update=came)]
    assert f"{way}, from 10.20.0.10, since 20" in at_plane("agents", "show", "eu-1").output


def test_queues_say_what_is_wrong_with_them(at_plane: Any) -> None:
    assert lines(at_plane("queues", "list").output) == [
        "SITE      QUEUE   WAITING   OLDEST   RUNNING   SLOTS   SERVED BY   CANARY         WARNING",
        "default   gpu     2         3 min    0         0/0     no agent    claim failed   no agent serves this queue",
    ]


def test_events_say_who_did_what_and_why(at_plane: Any) -> None:
    assert lines(at_plane("events", "list").output) == [
        "TIME                   ACTION          ACTOR   ADDRESS       SUBJECT    REASON",
        "2026-03-01 12:00:00Z   token_created   admin   203.0.113.7   token:ci   for CI",
    ]


@pytest.mark.parametrize(
    ("command", "method", "path", "body"),
    [
        (["cordon", "eu-1", "--reason", "disk"], "POST", f"/agents/{AGENT_ID}/cordon", {"reason": "disk"}),
        (["drain", "eu-1"], "POST", f"/agents/{AGENT_ID}/drain", {"reason": ""}),
        (["resume", AGENT_ID], "POST", f"/agents/{AGENT_ID}/resume", {"reason": ""}),
        (
            ["set-slots", "eu-1", "5", "--environment", "gpu"],
            "POST",
            f"/agents/{AGENT_ID}/slots",
            {"reason": "", "environment": "gpu", "slots": 5},
        ),
        (["remove", "eu-1"], "DELETE", f"/agents/{AGENT_ID}", None),
    ],
)
def test_a_change_reaches_the_agent_that_was_named(
    at_plane: Any, plane: Any, command: list[str], method: str, path: str, body: Any
) -> None:
    result = at_plane("agents", *command)
    assert result.exit_code == 0, result.output
    assert (plane.asked[-1][0], plane.asked[-1][1], plane.asked[-1][3]) == (method, path, body)
    assert "'eu-1'" in result.output


def test_a_name_means_the_agent_that_is_there_and_not_its_former_self(at_plane: Any, plane: Any) -> None:
    here = plane.agents[0]
    gone = here.model_copy(update={"id": here.session_id, "state": states.AgentState.LOST})
    plane.agents = [gone, here]
    at_plane("agents", "drain", "eu-1")
    assert plane.asked[-1][1] == f"/agents/{AGENT_ID}/drain"


def test_a_name_of_two_agents_is_refused_with_both_ids(at_plane: Any, plane: Any) -> None:
    here = plane.agents[0]
    plane.agents = [here, here.model_copy(update={"id": here.session_id})]
    result = at_plane("agents", "drain", "eu-1")
    assert result.exit_code == 1
    assert AGENT_ID in result.output and str(here.session_id) in result.output


def test_attempts_that_are_over_are_left_out_unless_asked_for(at_plane: Any, plane: Any) -> None:
    at_plane("attempts", "list", "--dag", "etl")
    assert plane.asked[-1][2] == "state=queued&state=offered&state=running&dag_id=etl&limit=100&offset=0"
    at_plane("attempts", "list", "--all")
    assert "state=" not in plane.asked[-1][2]


def test_an_attempt_is_stopped_with_a_reason(at_plane: Any, plane: Any) -> None:
    result = at_plane("attempts", "stop", ATTEMPT_ID, "--reason", "stuck")
    assert plane.asked == [("POST", f"/attempts/{ATTEMPT_ID}/stop", "", {"reason": "stuck"})]
    assert "etl.load" in result.output


def test_a_new_token_is_the_only_thing_on_standard_output(at_plane: Any) -> None:
    result = at_plane("tokens", "create", "ci", "--expires-in-days", "30")
    assert result.stdout == SECRET + "\n"
    assert "only time" in result.stderr


def test_a_new_token_can_go_to_a_private_file_and_is_not_shown_then(at_plane: Any, tmp_path: Path) -> None:
    path = tmp_path / "token"
    result = at_plane("tokens", "create", "ci", "--to-file", str(path))
    assert path.read_text() == SECRET + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert SECRET not in result.output


def test_no_token_is_made_when_its_file_cannot_be(at_plane: Any, plane: Any, tmp_path: Path) -> None:
    result = at_plane("tokens", "create", "ci", "--to-file", str(tmp_path))
    assert result.exit_code == 2
    there = tmp_path / "there"
    there.touch()
    assert at_plane("tokens", "create", "ci", "--to-file", str(there)).exit_code == 2
    assert at_plane("tokens", "create", "ci", "--to-file", str(tmp_path / "no" / "dir")).exit_code == 2
    assert plane.asked == []


def test_a_token_is_deleted_only_after_asking(at_plane: Any, plane: Any) -> None:
    assert at_plane("tokens", "delete", "ci", input="n\n").exit_code == 1
    assert [one[0] for one in plane.asked] == ["GET"]
    assert at_plane("tokens", "delete", "ci", "--yes").exit_code == 0
    assert plane.asked[-1][0] == "DELETE"


def test_every_token_is_deleted_at_once_after_asking(at_plane: Any, plane: Any) -> None:
    assert at_plane("tokens", "delete").exit_code == 2
    assert at_plane("tokens", "delete", "ci", "--all").exit_code == 2
    assert at_plane("tokens", "delete", "--all", input="n\n").exit_code == 1
    assert [one[0] for one in plane.asked] == ["GET"]
    result = at_plane("tokens", "delete", "--all", "--yes", "--reason", "restored")
    assert result.exit_code == 0, result.output
    assert plane.asked[-1][0] == "DELETE"
    assert "is deleted" in result.output


def test_control_characters_of_an_agent_do_not_reach_the_terminal(at_plane: Any, plane: Any) -> None:
    plane.agents = [plane.agents[0].model_copy(update={"state_reason": "\x1b[2Jgone\x07"})]
    output = at_plane("agents", "list").output
    assert "\x1b" not in output and "\x07" not in output
    assert "gone" in output


def test_a_refusal_ends_with_1_and_says_what_to_do(at_plane: Any, plane: Any) -> None:
    plane.refusal = Refusal(
        error=Code.CONFLICT, message="agent 'eu-1' is healthy, not gone", remedy="Drain it."
    )
    result = at_plane("agents", "remove", AGENT_ID)
    assert result.exit_code == 1
    assert lines(result.stderr) == [
        "Error: agent 'eu-1' is healthy, not gone (conflict)",
        "       Drain it.",
    ]


def test_a_plane_that_is_not_there_ends_with_3(tradewind: Any) -> None:
    result = tradewind("--plane-url", "http://127.0.0.1:1", "agents", "list")
    assert result.exit_code == 3
    assert "http://127.0.0.1:1" in result.stderr


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ((200, b"text/html", b"<html>sign in</html>"), "200 and text/html"),
        ((404, b"application/json", b'{"detail":"Not Found"}'), "tradewind-provider"),
        ((502, b"text/html", b"Bad Gateway"), "a proxy is there"),
        ((200, b"application/json", b"[]"), "not an orchestration plane"),
    ],
)
def test_something_else_that_answers_is_told_from_a_plane(
    at_plane: Any, plane: Any, raw: Any, said: str
) -> None:
    plane.raw = raw
    result = at_plane("agents", "list")
    assert result.exit_code == 3
    assert said in result.stderr


def test_a_command_line_that_makes_no_sense_ends_with_2(tradewind: Any) -> None:
    assert tradewind("agents", "lst").exit_code == 2
    assert tradewind("agents", "list").exit_code == 2  # no plane is named anywhere
    assert tradewind("--plane-url", "ftp://plane", "agents", "list").exit_code == 2
    assert tradewind("tokens", "create", "x", "--expires-in-days", "4000").exit_code == 2


def test_bundles_are_listed_and_released(at_plane: Any, plane: Any) -> None:
    listed = at_plane("bundles", "list")
    assert [line.split()[:6] for line in listed.stdout.splitlines()] == [
        ["BUNDLE", "SITE", "AGENT", "TOKEN", "FILES", "DAGS"],
        ["etl/main", "default", "eu-1", "ci", "3", "7"],
    ]
    released = at_plane("bundles", "release", "etl/main", "--reason", "moved to us-1")
    assert released.exit_code == 0, released.output
    assert plane.asked[-1] == ("POST", "/bundles/etl/main/release", "", {"reason": "moved to us-1"})
    assert "has no site now" in released.stderr + released.stdout


def test_a_note_of_twenty_lines_is_one_row_and_the_way_to_all_of_it_is_said(
    at_plane: Any, plane: Any
) -> None:
    words = "\n".join(f"line {number} of what Git said" for number in range(20))
    plane.agents = [AGENT.model_copy(update={"state_reason": words})]
    result = at_plane("agents", "list")
    assert len(result.stdout.splitlines()) == 2
    assert "tradewind agents show NAME" in result.stderr
    plane.agents = [AGENT]
    assert at_plane("agents", "list").stderr == ""
