"""The clusters that Deployments of a workspace may run in, for those who choose one and do not own the organization."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from support.platform_parts import Reconciled
from tradewind.cli import main
from tradewind.commands.session import Session
from tradewind_platform.domain.roles import Role
from tradewind_protocol.controllers import PREFIX

ASK = {"agents_host": "{id}.external.example.com", "people_domain": "{id}.apps.example.com"}
POLL = {"instance": "00000000-0000-0000-0000-000000000001", "driver": "kubernetes", "wait_seconds": 0}


def add_cluster(
    reconciled: Reconciled, name: str, *, poll: dict[str, Any] | None = None, **more: Any
) -> None:
    answer = reconciled.owner.post("/v1/clusters", json={**ASK, "name": name, **more})
    assert answer.status_code == 201, answer.text
    if poll is not None:
        controller = reconciled.caller(answer.json()["token"])
        assert controller.post(f"{PREFIX}/poll", json={**POLL, **poll}).status_code == 200


def usable(caller: Any, workspace: str = "default") -> list[dict[str, Any]]:
    answer = caller.get(f"/v1/workspaces/{workspace}/clusters")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def test_a_workspace_has_the_clusters_that_it_may_use_and_no_others(reconciled: Reconciled) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    add_cluster(reconciled, "north", workspaces=["lab"])
    add_cluster(reconciled, "east")
    assert [one["name"] for one in usable(reconciled.owner)] == ["east", "local"]
    assert [one["name"] for one in usable(reconciled.owner, "lab")] == ["east", "local", "north"]


def test_an_owner_of_the_workspace_sees_what_a_choice_needs_and_nothing_of_the_clusters_owner(
    reconciled: Reconciled,
) -> None:
    caller = reconciled.with_role(Role.WORKSPACE_OWNER, workspace="default")
    facts = {"gateway": "traefik"}
    add_cluster(
        reconciled, "north", poll={"sizes": ["small", "large"], "facts": facts}, region="eu-central-1"
    )
    add_cluster(reconciled, "south")
    assert caller.patch("/v1/workspaces/default", json={"default_cluster": "north"}).status_code == 200
    found = {one["name"]: one for one in usable(caller)}
    north = found["north"]
    assert (north["state"], north["sizes"], north["is_default"]) == ("connected", ["small", "large"], True)
    assert (north["region"], found["local"]["region"]) == ("eu-central-1", "")
    assert (found["south"]["state"], found["local"]["state"]) == ("never", "connected")
    fields = {"id", "name", "driver", "region", "agents_url", "state", "sizes", "is_default"}
    assert all(set(one) == fields for one in found.values())
    assert "traefik" not in json.dumps(found) and "tw_cluster_" not in json.dumps(found)
    reconciled.time.pass_(minutes=5)
    assert {one["name"]: one["state"] for one in usable(caller)}["north"] == "lost"


def test_each_of_them_takes_a_deployment_that_names_it(reconciled: Reconciled) -> None:
    caller = reconciled.with_role(Role.WORKSPACE_OPERATOR, workspace="default")
    add_cluster(reconciled, "north", poll={})
    for one in usable(caller):
        ask = {"name": f"in-{one['name']}", "cluster": one["id"]}
        assert caller.post("/v1/deployments", json=ask).json()["cluster_name"] == one["name"]


@pytest.mark.parametrize(
    "elsewhere", [Role.WORKSPACE_OWNER, Role.DEPLOYMENT_ADMIN], ids=lambda one: one.value
)
def test_who_has_no_role_on_the_workspace_sees_none(reconciled: Reconciled, elsewhere: Role) -> None:
    reconciled.created("sales")
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    scope = {"workspace": "lab"} if elsewhere is Role.WORKSPACE_OWNER else {"deployment": "sales"}
    caller = reconciled.with_role(elsewhere, **scope)
    answer = caller.get("/v1/workspaces/default/clusters")
    # That the workspace is there is known by a role on one of its Deployments, and by no role elsewhere.
    assert answer.status_code == (404 if elsewhere is Role.WORKSPACE_OWNER else 403)


def test_a_creation_that_must_name_a_cluster_is_told_which_there_are(reconciled: Reconciled) -> None:
    add_cluster(reconciled, "north", poll={})
    refused = reconciled.owner.post("/v1/deployments", json={"name": "sales"})
    assert "(local, north)" in refused.json()["remedy"]


def test_a_creation_in_a_workspace_without_a_cluster_is_told_whom_to_ask(reconciled: Reconciled) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    reconciled.owner.patch("/v1/clusters/local", json={"workspaces": ["lab"]})
    refused = reconciled.owner.post("/v1/deployments", json={"name": "sales"})
    assert refused.status_code == 422 and "owner of the organization" in refused.json()["remedy"]


def test_who_owns_the_clusters_says_in_which_region_one_is(reconciled: Reconciled) -> None:
    before = reconciled.owner.get("/v1/clusters/local").json()
    changed = reconciled.owner.patch("/v1/clusters/local", json={"region": " Frankfurt "}).json()
    assert (changed["region"], changed["revision"]) == ("Frankfurt", before["revision"] + 1)
    assert reconciled.events(action="cluster.update")[0]["changes"] == {"region": ["", "Frankfurt"]}
    kept = reconciled.owner.patch("/v1/clusters/local", json={"name": "munich"}).json()
    assert kept["region"] == "Frankfurt"
    refused = reconciled.owner.patch("/v1/clusters/munich", json={"region": "a\nb"})
    assert refused.status_code == 422


# ---- the command


def running_as(reconciled: Reconciled, caller: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("TRADEWIND_PLATFORM_URL", "http://platform.example.com")
    monkeypatch.setenv("TRADEWIND_API_TOKEN", str(caller.headers["Authorization"]).removeprefix("Bearer "))
    monkeypatch.delenv("TRADEWIND_PLANE_URL", raising=False)
    session = Session(transport=reconciled.owner._transport)
    return lambda *arguments: CliRunner().invoke(main, arguments, obj=session)


def test_the_command_lists_them_and_says_how_to_those_who_may_not_see_all(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = reconciled.with_role(Role.WORKSPACE_OWNER, workspace="default")
    add_cluster(reconciled, "north", poll={"sizes": ["small"]}, region="eu-1")
    caller.patch("/v1/workspaces/default", json={"default_cluster": "north"})
    run = running_as(reconciled, caller, monkeypatch)
    refused = run("clusters", "list")
    assert refused.exit_code == 1 and "tradewind clusters list --workspace" in refused.stderr
    listed = run("clusters", "list", "--workspace", "default")
    assert listed.exit_code == 0, listed.output
    (row,) = [line.split() for line in listed.stdout.splitlines() if line.startswith("north")]
    assert row[:6] == ["north", "kubernetes", "eu-1", "connected", "yes", "small"]
    told = json.loads(run("-o", "json", "clusters", "list", "--workspace", "default").stdout)
    assert [one["name"] for one in told["items"]] == ["local", "north"]
