"""What the commands of a platform export: all of it in a fixed order and without secrets, and the audit trail."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from support.platform_parts import Reconciled
from tradewind_platform.domain.roles import Role

Run = Callable[..., Result]


def test_an_export_has_everything_in_a_fixed_order_and_no_secret(run: Run, reconciled: Reconciled) -> None:
    for name in ("sales", "ops"):
        reconciled.created(name)
    ask = reconciled.owner
    nights = {"hibernate_at_cron": "0 19 * * *", "wake_at_cron": "0 7 * * *"}
    ask.put("/v1/deployments/sales/hibernation", json={"schedules": [nights]})
    ask.post("/v1/teams", json={"name": "data"})
    ask.post("/v1/role-bindings", json={"team": "data", "role": "workspace_author", "workspace": "default"})
    assert run("configuration", "set", "core.parallelism=64", "--scope", "workspace/default").exit_code == 0
    for flag, value in (("--secret", "canary-of-a-secret"), ("", "plain")):
        name = "SECRET" if flag else "PLAIN"
        arguments = ["environment", "set", name, "--stdin", "--scope", "deployment/sales"]
        given = run(*arguments, *filter(None, [flag]), input=value)
        assert given.exit_code == 0, given.output

    nightly = ("on-call", "--allow", "deployment.hibernate", "--workspace", "default")
    assert run("roles", "create", *nightly).exit_code == 0

    first, second = run("export"), run("export")
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout and "canary-of-a-secret" not in first.stdout
    found = json.loads(first.stdout)
    assert found["format"] == 1 and found["organization"]["name"] == "acme"
    assert [one["name"] for one in found["deployments"]] == ["ops", "sales"]
    assert found["deployments"][1]["hibernation_schedules"] == [{**nights, "is_enabled": True}]
    assert [one["name"] for one in found["workspaces"]] == ["default"]
    assert [one["name"] for one in found["clusters"]] == ["local"]
    assert [one["name"] for one in found["teams"]] == ["data"]
    data = {
        "kind": "team",
        "subject": "data",
        "role": "workspace_author",
        "workspace": "default",
        "deployment": "",
    }
    assert data in found["role_bindings"]
    [role] = found["roles"]
    assert (role["name"], role["airflow_role"], role["workspaces"]) == ("on-call", None, ["default"])
    assert role["permissions"] == ["deployment.get", "deployment.hibernate"]
    assert found["layers"] == {
        "deployment/sales": {
            "environment": {
                "PLAIN": {"is_secret": False, "locked": False, "value": "plain"},
                "SECRET": {"is_secret": True, "locked": False},
            }
        },
        "workspace/default": {"configuration": {"core.parallelism": {"locked": False, "value": "64"}}},
    }


def test_an_export_leaves_out_what_its_token_may_not_read(
    run: Run, reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("sales", "ops"):
        reconciled.created(name)
    viewer = reconciled.with_role(Role.DEPLOYMENT_VIEWER, deployment="sales")
    token = str(viewer.headers["Authorization"]).removeprefix("Bearer ")
    monkeypatch.setenv("TRADEWIND_API_TOKEN", token)
    made = run("export")
    assert made.exit_code == 0, made.output
    found = json.loads(made.stdout)
    assert [one["name"] for one in found["deployments"]] == ["sales"]
    assert found["role_bindings"] == [] and found["layers"] == {}


def test_the_audit_trail_is_exported_line_by_line_from_a_moment_on(run: Run, reconciled: Reconciled) -> None:
    run("workspaces", "create", "one")
    reconciled.time.pass_(hours=2)
    run("workspaces", "create", "two")
    everything = [
        json.loads(line)
        for line in run("audit", "export", "--action", "workspace.create").stdout.splitlines()
    ]
    assert [one["target"] for one in everything] == ["workspace:one", "workspace:two"]
    since = everything[1]["at"]
    assert "workspace:one" not in run("audit", "export", "--since", since).stdout
    assert "workspace:two" not in run("audit", "list", "--until", since).stdout
    wrong = run("audit", "list", "--since", "yesterday")
    assert wrong.exit_code == 2 and "nor 8h or 30d" in wrong.stderr
    viewer = reconciled.with_role(Role.WORKSPACE_VIEWER, workspace="default")
    token = str(viewer.headers["Authorization"]).removeprefix("Bearer ")
    refused = run("audit", "export", env={"TRADEWIND_API_TOKEN": token})
    assert refused.exit_code == 1 and not refused.stdout
