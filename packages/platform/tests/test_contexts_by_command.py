"""A command has the context of a plane or of a platform, and keeps a token at login."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from support.platform_parts import Reconciled

Run = Callable[..., Result]


def test_a_context_is_a_plane_or_a_platform(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADEWIND_PLATFORM_URL")
    missing = run("deployments", "list")
    assert missing.exit_code == 2 and "no platform is named" in missing.stderr
    assert run("contexts", "add", "acme", "http://platform.example.com", "--platform").exit_code == 0
    assert run("deployments", "list").stdout == "There is no Deployment.\n"
    assert "platform" in run("contexts", "list").stdout
    refused = run("agents", "list")
    assert (
        refused.exit_code == 2
        and "has many planes" in refused.stderr
        and "--deployment NAME" in refused.stderr
    )


def test_login_keeps_a_token_that_the_platform_takes_and_no_other(
    run: Run, reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = str(reconciled.owner.headers["Authorization"]).removeprefix("Bearer ")
    for name in ("TRADEWIND_PLATFORM_URL", "TRADEWIND_API_TOKEN"):
        monkeypatch.delenv(name)
    where, file = "http://platform.example.com", tmp_path / "contexts.json"
    refused = run("login", where, "--token-stdin", input="tw_api_" + "x" * 43)
    assert refused.exit_code == 1 and not file.exists()
    done = run("login", where, "--token-stdin", input=token + "\n")
    assert done.exit_code == 0, done.output
    assert "as token:ada" in done.output and "'platform.example.com'" in done.output
    assert token not in done.output and file.stat().st_mode & 0o777 == 0o600
    assert "organization_owner" in run("whoami").stdout
    assert json.loads(run("-o", "json", "whoami").stdout)["organization"] == "acme"
    assert run("deployments", "list").stdout == "There is no Deployment.\n"

    out = run("logout")
    assert "stays valid until you delete it: http://platform.example.com/me" in out.output
    assert token not in file.read_text()
    assert run("whoami").exit_code == 1


def test_login_without_a_terminal_says_how_a_token_is_given(run: Run) -> None:
    refused = run("login", "http://platform.example.com")
    assert refused.exit_code == 2 and "--token-stdin" in refused.stderr
    empty = run("login", "http://platform.example.com", "--token-stdin", input="")
    assert empty.exit_code == 2 and "standard input is empty" in empty.stderr
