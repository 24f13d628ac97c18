"""Workspaces by command: their names, quotas and default clusters."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import Result

from support.platform_parts import Reconciled

Run = Callable[..., Result]


def test_a_workspace_is_shown_renamed_and_not_overwritten(run: Run, reconciled: Reconciled) -> None:
    assert run("workspaces", "edit", "default", "--name", "sales", "--if-revision", "1").exit_code == 0
    shown = json.loads(run("-o", "json", "workspaces", "get", "sales").stdout)
    assert (shown["name"], shown["revision"]) == ("sales", 2)
    refused = run("workspaces", "edit", "sales", "--description", "EU", "--if-revision", "1")
    assert refused.exit_code == 1 and "has the revision 2" in refused.stderr


def test_a_workspaces_quota_and_default_cluster_are_set_shown_and_taken_away(
    run: Run, reconciled: Reconciled
) -> None:
    made = run("workspaces", "create", "lab", "--deployments-at-most", "1", "--default-cluster", "local")
    assert made.exit_code == 0, made.output
    reconciled.created("one", workspace="lab")
    assert "1 of 1" in run("workspaces", "list").stdout
    shown = run("workspaces", "get", "lab").stdout
    assert "1 of 1" in shown and "local" in shown
    full = run("deployments", "create", "two", "--workspace", "lab")
    assert (
        full.exit_code == 1
        and "the workspace 'lab' has reached its quota of Deployments: it has 1 of 1" in full.stderr
    )
    exported = json.loads(run("export").stdout)["workspaces"]
    assert [(one["deployments_at_most"], one["default_cluster"]) for one in exported] == [
        (None, None),
        (1, "local"),
    ]

    below = run("workspaces", "edit", "lab", "--deployments-at-most", "0")
    assert below.exit_code == 0 and "it has 1 of 0. All of them go on" in below.stdout
    free = run("workspaces", "edit", "lab", "--deployments-at-most", "none", "--no-default-cluster")
    assert free.exit_code == 0 and "go on" not in free.stdout and "local" not in free.stdout
    found = json.loads(run("-o", "json", "workspaces", "get", "lab").stdout)
    assert (found["deployments_at_most"], found["default_cluster"], found["deployments"]) == (None, None, 1)
    assert run("workspaces", "edit", "lab", "--description", "EU").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--deployments-at-most", "many"), "'many' is not a valid integer"),
        (("--deployments-at-most", "-1"), "-1 is not in the range"),
        (("--default-cluster", "local", "--no-default-cluster"), "--no-default-cluster takes it away"),
    ],
    ids=["no number", "below zero", "both"],
)
def test_a_quota_or_a_default_cluster_that_makes_no_sense_is_refused(
    run: Run, arguments: tuple[str, ...], sentence: str
) -> None:
    refused = run("workspaces", "edit", "default", *arguments)
    assert refused.exit_code == 2 and sentence in refused.stderr
