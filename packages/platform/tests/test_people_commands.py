"""The commands about people against the platform's API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from support.platform_parts import Reconciled, as_context
from tradewind.cli import main
from tradewind.commands.session import Session

Run = Callable[..., Result]


@pytest.fixture
def run(reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    as_context(reconciled, monkeypatch, tmp_path)

    def runs(*arguments: str, fails: bool = False) -> Result:
        session = Session(transport=reconciled.owner._transport)
        done = CliRunner().invoke(main, arguments, obj=session)
        assert (done.exit_code != 0) is fails, done.output
        return done

    return runs


def test_a_team_has_a_role_and_access_explain_says_so(run: Run, reconciled: Reconciled) -> None:
    reconciled.created()
    reconciled.user("grace")
    run("teams", "create", "data", "--description", "Data people")
    run("teams", "add", "data", "grace")
    run("access", "bind", "data", "workspace_author", "--team", "--workspace", "default")
    run("access", "bind", "grace", "deployment_operator", "--deployment", "sales")
    said = run("access", "explain", "grace", "--deployment", "sales").stdout
    assert "team data" in said and "workspace_author" in said and "deployment_operator" in said
    assert "deployment.config.update" in said
    found = json.loads(run("-o", "json", "access", "explain", "grace", "--deployment", "sales").stdout)
    assert (found["target"], found["airflow_role"]) == ("Deployment sales", "OP")
    binding = json.loads(run("-o", "json", "access", "list", "--team", "data").stdout)["items"][0]
    run("access", "unbind", binding["id"])
    run("teams", "remove", "data", "grace")
    assert "workspace_author" not in run("access", "explain", "grace", "--deployment", "sales").stdout
    run("teams", "delete", "data", "--yes")
    assert "There is no team." in run("teams", "list").stdout


def test_users_are_listed_disabled_and_invited(run: Run, reconciled: Reconciled) -> None:
    browser = reconciled.signed_in("grace")
    run("users", "disable", "grace", "--yes")
    assert browser.get("/v1/me").status_code == 401
    assert "disabled" in run("users", "get", "grace").stdout
    run("users", "enable", "grace")
    run("users", "end-sessions", "grace")
    assert "active" in run("users", "list").stdout
    run("users", "invite", "linus@example.com", "--role", "organization_auditor")
    invite = json.loads(run("-o", "json", "users", "invites").stdout)["items"][0]
    assert (invite["email"], invite["status"]) == ("linus@example.com", "pending")
    run("users", "withdraw-invite", invite["id"])
    assert "There is no invite." in run("users", "invites").stdout


def test_the_last_owner_keeps_the_role(run: Run) -> None:
    binding = json.loads(run("-o", "json", "access", "list", "--user", "ada").stdout)["items"][0]
    assert "no owner" in run("access", "unbind", binding["id"], fails=True).stderr
    assert "no owner" in run("users", "disable", "ada", "--yes", fails=True).stderr


def test_scim_is_turned_on_and_off(run: Run, reconciled: Reconciled, tmp_path: Path) -> None:
    assert "off" in run("scim", "get").stdout
    token = run("scim", "create-token").stdout.strip()
    assert reconciled.caller(token).get("/scim/v2/Users").status_code == 200
    run("scim", "create-token", "--overlap-minutes", "0", "--to-file", str(tmp_path / "token"))
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert reconciled.caller(token).get("/scim/v2/Users").status_code == 403
    token = (tmp_path / "token").read_text().strip()
    assert reconciled.caller(token).get("/scim/v2/Users").status_code == 200
    said = run("scim", "get").stdout
    assert "on" in said and token[:12] in said and token not in said
    run("scim", "revoke-token", "--yes")
    assert reconciled.caller(token).get("/scim/v2/Users").status_code == 401


def test_roles_are_shown_as_a_matrix(run: Run) -> None:
    found = json.loads(run("-o", "json", "roles", "list").stdout)
    roles = {one["name"]: one for one in found["roles"]}
    assert "deployment.create" in roles["workspace_operator"]["permissions"]
    assert roles["deployment_admin"]["airflow_role"] == "ADMIN"
    assert "workspace_viewer" in run("roles", "list").stdout
    assert "deployment.get" in run("roles", "get", "workspace_viewer").stdout.split()
    assert "no role 'king'" in run("roles", "get", "king", fails=True).stderr


def test_a_role_of_ones_own_is_made_given_changed_and_deleted(run: Run, reconciled: Reconciled) -> None:
    reconciled.created()
    reconciled.user("grace")
    assert "deployment.agentTokens.create" in run("roles", "permissions").stdout.split()
    allow = ("--allow", "deployment.hibernate", "--allow", "deployment.agents.get")
    run("roles", "create", "on-call", *allow, "--airflow-role", "viewer", "--workspace", "default")
    assert "custom" in run("roles", "list").stdout
    run("access", "bind", "grace", "on-call", "--deployment", "sales")
    run("roles", "update", "on-call", "--allow", "deployment.upgrade", "--disallow", "deployment.agents.get")
    assert run("roles", "get", "on-call").stdout.split() == [
        "deployment.get",
        "deployment.hibernate",
        "deployment.upgrade",
    ]
    kept = json.loads(run("-o", "json", "roles", "get", "on-call").stdout)
    assert kept["airflow_role"] == "VIEWER" and kept["workspaces"], "what is not named stays"
    run("roles", "update", "on-call", "--airflow-role", "none", "--any-workspace")
    found = json.loads(run("-o", "json", "roles", "get", "on-call").stdout)
    assert (found["airflow_role"], found["workspaces"], found["revision"]) == (None, None, 3)
    assert "nothing to change" in run("roles", "update", "on-call", fails=True).stderr
    assert "given to user grace" in run("roles", "delete", "on-call", "--yes", fails=True).stderr
    [binding] = json.loads(run("-o", "json", "access", "list", "--user", "grace").stdout)["items"]
    run("access", "unbind", binding["id"])
    run("roles", "delete", "on-call", "--yes")
    assert "no role gets its name again" in run("roles", "create", "on-call", fails=True).stderr


def test_settings_of_sign_in_come_from_a_file_and_the_secret_from_another(run: Run, tmp_path: Path) -> None:
    file, secret = tmp_path / "sign-in.json", tmp_path / "secret"
    settings: dict[str, Any] = {"issuer": "https://id.example.com", "client_id": "tradewind"}
    file.write_text(json.dumps(settings))
    secret.write_text("canary-secret\n")
    assert "no client secret" in run("sign-in", "set", str(file), fails=True).stderr
    said = run("sign-in", "set", str(file), "--client-secret-file", str(secret)).stdout
    assert "canary-secret" not in said and "/sign-in/callback" in said and "test=true" in said
    assert "no sign-in has tested it" in run("sign-in", "activate", fails=True).stderr
    assert "https://id.example.com as tradewind" in run("sign-in", "get").stdout
    run("sign-in", "turn-off", "--yes")
    assert "none" in run("sign-in", "get").stdout
