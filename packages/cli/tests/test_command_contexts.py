"""Several planes, one file, and secrets that stay in it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tradewind.client import contexts
from tradewind.commands import session as session_module


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "config" / "tradewind" / "contexts.json"


def test_the_first_context_is_the_current_one_until_another_is_used(tradewind: Any, tmp_path: Path) -> None:
    tradewind("contexts", "add", "prod", "https://plane.example/prod/")
    tradewind("contexts", "add", "test", "https://plane.example/test")
    assert json.loads(file_of(tmp_path).read_text())["current"] == "prod"
    tradewind("contexts", "use", "test")
    listed = json.loads(tradewind("contexts", "list", "-o", "json").stdout)["contexts"]
    assert [(one["name"], one["url"], one["current"]) for one in listed] == [
        ("prod", "https://plane.example/prod", False),
        ("test", "https://plane.example/test", True),
    ]


def test_a_context_leads_to_its_plane_with_its_token(tradewind: Any, plane: Any) -> None:
    tradewind("contexts", "add", "prod", plane.url, "--token-stdin", input="good\n")
    assert tradewind("agents", "list").exit_code == 0
    assert plane.bearers == ["good"]


def test_tokens_are_kept_privately_and_never_printed(tradewind: Any, plane: Any, tmp_path: Path) -> None:
    added = tradewind("contexts", "add", "prod", plane.url, "--token-stdin", input="very-secret\n")
    listed = tradewind("contexts", "list")
    as_json = tradewind("contexts", "list", "-o", "json")
    assert "very-secret" not in added.output + listed.output + as_json.output
    assert stat.S_IMODE(file_of(tmp_path).stat().st_mode) == 0o600
    assert "very-secret" not in repr(contexts.load(file_of(tmp_path)))


def test_a_damaged_file_is_named_without_quoting_its_secrets(tradewind: Any, tmp_path: Path) -> None:
    path = file_of(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_text('{"contexts": {"prod": {"token": "very-secret"}}}')
    result = tradewind("contexts", "list")
    assert result.exit_code == 2
    assert str(path) in result.output
    assert "very-secret" not in result.output


def test_a_token_of_a_context_is_not_sent_to_another_address(tradewind: Any, plane: Any) -> None:
    tradewind("contexts", "add", "prod", "https://plane.example", "--token-stdin", input="very-secret\n")
    tradewind("--plane-url", plane.url, "agents", "list")
    assert plane.bearers == [""]


def test_a_flag_wins_over_the_environment_and_the_environment_over_the_file(
    tradewind: Any, plane: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tradewind("contexts", "add", "here", plane.url, "--token-stdin", input="good\n")
    monkeypatch.setenv("TRADEWIND_PLANE_URL", "http://127.0.0.1:1")
    assert tradewind("agents", "list").exit_code == 3
    assert tradewind("--context", "here", "agents", "list").exit_code == 0


def test_a_token_file_is_read_anew_each_time(
    tradewind: Any, plane: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    monkeypatch.setenv("TRADEWIND_PLANE_URL", plane.url)
    monkeypatch.setenv("TRADEWIND_API_TOKEN_FILE", str(path))
    assert tradewind("agents", "list").exit_code == 2
    path.write_text("good\n")
    assert tradewind("agents", "list").exit_code == 0


def test_an_expired_token_at_no_terminal_says_what_to_set(tradewind: Any, plane: Any) -> None:
    tradewind("contexts", "add", "prod", plane.url, "--username", "ada", "--token-stdin", input="old\n")
    result = tradewind("agents", "list")
    assert result.exit_code == 2
    assert "TRADEWIND_API_TOKEN" in result.output


def test_an_expired_token_at_a_terminal_asks_for_the_password_and_keeps_the_new_token(
    tradewind: Any, plane: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tradewind("contexts", "add", "prod", plane.url, "--username", "ada", "--token-stdin", input="old\n")
    monkeypatch.setattr(session_module, "at_a_terminal", lambda: True)  # a CliRunner never is
    result = tradewind("agents", "list", input="lovelace\n")
    assert result.exit_code == 0, result.output
    assert plane.bearers == ["old", "good"]
    kept = file_of(tmp_path).read_text()
    assert '"good"' in kept and "lovelace" not in kept


def test_a_wrong_password_is_refused(tradewind: Any, plane: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "at_a_terminal", lambda: True)
    result = tradewind("contexts", "add", "prod", plane.url, "--username", "ada", input="babbage\n")
    assert result.exit_code == 1
    assert "does not accept that password for 'ada'" in result.output
    assert "token_unknown" not in result.output
    assert "babbage" not in result.output


def test_without_a_terminal_it_is_said_that_nobody_signed_in_and_how_to(tradewind: Any, plane: Any) -> None:
    result = tradewind("contexts", "add", "prod", plane.url, "--username", "ada")
    assert result.exit_code == 0
    assert "Not signed in as ada" in result.stderr
    assert "TRADEWIND_API_TOKEN" in result.stderr and "--password-stdin" in result.stderr


def test_a_script_signs_in_with_a_password_from_standard_input(
    tradewind: Any, plane: Any, tmp_path: Path
) -> None:
    arguments = ("contexts", "add", "prod", plane.url, "--username", "ada", "--password-stdin")
    refused = tradewind(*arguments, input="babbage\n")
    assert (refused.exit_code, file_of(tmp_path).exists()) == (1, False)
    result = tradewind(*arguments, input="lovelace\n")
    assert "Signed in as ada." in result.stdout
    assert tradewind("agents", "list").exit_code == 0
    assert "lovelace" not in file_of(tmp_path).read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--password-stdin",), "--username"),
        (("--username", "ada", "--password-stdin", "--token-stdin"), "Give one of them"),
        (("--token-stdin",), "standard input is empty"),
    ],
)
def test_options_that_make_no_sense_together_are_refused_with_what_to_write(
    tradewind: Any, plane: Any, arguments: tuple[str, ...], words: str
) -> None:
    result = tradewind("contexts", "add", "prod", plane.url, *arguments, input="")
    assert result.exit_code == 2
    assert words in result.output


def test_an_unknown_context_is_refused_with_the_known_ones(tradewind: Any) -> None:
    tradewind("contexts", "add", "prod", "https://plane.example")
    result = tradewind("contexts", "use", "prd")
    assert result.exit_code == 2
    assert "known: prod" in result.output


def test_an_address_with_a_password_in_it_is_refused_without_repeating_it(tradewind: Any) -> None:
    result = tradewind("contexts", "add", "prod", "https://ada:lovelace@plane.example")
    assert result.exit_code == 2
    assert "lovelace" not in result.output
