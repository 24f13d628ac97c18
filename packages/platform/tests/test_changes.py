"""Changes: conditions, repetitions, merges and the audit trail (scenarios 20 and 21)."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest

from support import plane_archive
from support.platform_parts import Api, Reconciled, Time
from tradewind_platform.api.app import create_app
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.roles import Role
from tradewind_platform.reconciler.driver import StepFailed
from tradewind_platform.services import sso_settings
from tradewind_protocol.people import SignInTest


def test_scenario_21_of_two_writers_with_one_if_match_one_is_refused(api: Api) -> None:
    tag = api.owner.get("/v1/workspaces/default").headers["ETag"]

    def write(text: str) -> int:
        answer = api.owner.patch(
            "/v1/workspaces/default", json={"description": text}, headers={"If-Match": tag}
        )
        return answer.status_code

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(write, ["one", "two"])) == [200, 412]


def test_the_refusal_names_the_revision_that_it_has(api: Api) -> None:
    answer = api.owner.patch("/v1/workspaces/default", json={"description": "x"}, headers={"If-Match": '"7"'})
    assert answer.status_code == 412
    assert answer.json()["error"] == "conflict" and answer.json()["detail"] == {"revision": 1}


@pytest.mark.parametrize("header", ["3", '"x"', 'W/"1"', '"1", "2"'])
def test_a_condition_that_cannot_be_read_is_refused(api: Api, header: str) -> None:
    answer = api.owner.patch(
        "/v1/workspaces/default", json={"description": "x"}, headers={"If-Match": header}
    )
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


def test_scenario_21_a_change_of_one_field_keeps_the_others(api: Api) -> None:
    api.owner.post("/v1/workspaces", json={"name": "sales", "description": "Sales' own"})
    renamed = api.owner.patch("/v1/workspaces/sales", json={"name": "sales-eu"})
    assert (renamed.json()["name"], renamed.json()["description"]) == ("sales-eu", "Sales' own")
    assert renamed.headers["ETag"] == '"2"'
    emptied = api.owner.patch("/v1/workspaces/sales-eu", json={"description": ""}).json()
    assert (emptied["name"], emptied["description"], emptied["revision"]) == ("sales-eu", "", 3)


def test_a_field_that_does_not_exist_is_refused_and_not_ignored(api: Api) -> None:
    answer = api.owner.patch("/v1/workspaces/default", json={"descripton": "typo"})
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


def test_scenario_21_a_repeated_key_gets_the_same_answer_and_changes_nothing(api: Api, time: Time) -> None:
    def create(name: str, key: str) -> Any:
        ask = {"name": name, "role": "organization_auditor"}
        return api.owner.post("/v1/api-tokens", json=ask, headers={"Idempotency-Key": key})

    key = str(uuid4())
    first, second = create("ci", key), create("ci", key)
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json() and first.json()["token"]
    assert second.headers["Idempotent-Replayed"] == "true" and "Idempotent-Replayed" not in first.headers
    assert len(api.events(action="apiToken.create")) == 1
    other = create("another", key)
    assert (other.status_code, other.json()["error"]) == (409, "conflict")
    time.pass_(days=1)
    assert create("another", key).status_code == 201


def test_a_key_of_one_caller_says_nothing_to_another(api: Api) -> None:
    headers = {"Idempotency-Key": "same"}
    other = api.with_role(Role.ORGANIZATION_OWNER)
    assert api.owner.post("/v1/workspaces", json={"name": "a"}, headers=headers).status_code == 201
    assert other.post("/v1/workspaces", json={"name": "a"}, headers=headers).status_code == 409


def test_a_repeated_key_at_the_same_moment_makes_one_thing(api: Api) -> None:
    def create(_: int) -> Any:
        return api.owner.post("/v1/workspaces", json={"name": "a"}, headers={"Idempotency-Key": "same"})

    with ThreadPoolExecutor(4) as several:
        answers = list(several.map(create, range(4)))
    # On PostgreSQL two may meet before either is committed: the one that lost is told so, and may repeat.
    assert {one.status_code for one in answers} <= {201, 409} and answers
    assert len({one.json()["id"] for one in answers if one.status_code == 201}) == 1
    assert api.owner.get("/v1/workspaces").json()["total"] == 2


def test_a_refused_request_leaves_its_key_unused(api: Api) -> None:
    headers = {"Idempotency-Key": "k"}
    assert api.owner.post("/v1/workspaces", json={"name": "default"}, headers=headers).status_code == 409
    api.owner.patch("/v1/workspaces/default", json={"name": "old"})
    assert api.owner.post("/v1/workspaces", json={"name": "default"}, headers=headers).status_code == 201


# ---- the audit trail


MUTATING: dict[str, dict[str, Any]] = {
    f"{method.upper()} {path}": operation
    for path, operations in create_app(mock.Mock()).openapi()["paths"].items()
    for method, operation in operations.items()
    if method in ("post", "put", "patch", "delete")
}
each_mutating_route = pytest.mark.parametrize("route", MUTATING, ids=MUTATING)


ARCHIVE = plane_archive.made()
SIGN_IN: dict[str, Any] = {
    "issuer": "https://id.example.com",
    "client_id": "tradewind",
    "client_secret": "canary",
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "NewWorkspace": {"name": "made", "deployments_at_most": 3},
    "ChangeWorkspace": {"description": "changed", "deployments_at_most": 3},
    "NewApiToken": {"name": "made", "role": "organization_auditor"},
    "RotateApiToken": {"overlap_minutes": 5},
    "NewDeployment": {"name": "made"},
    "ChangeDeployment": {"policy": "open"},
    "MoveDeployment": {"workspace": "other"},
    "ChangeUser": {"disabled": True},
    "NewTeam": {"name": "made"},
    "ChangeTeam": {"description": "changed"},
    "AddMember": {"user": "ada"},
    "BindRole": {"user": "grace", "role": "organization_auditor"},
    "NewRole": {"name": "made", "permissions": ["deployment.hibernate"]},
    "ChangeRole": {"description": "changed"},
    "NewInvite": {"email": "linus@example.com", "role": "organization_auditor"},
    "SignInSettings": SIGN_IN,
    "NewScimToken": {"overlap_minutes": 5},
    "SetOrganizationAllowedAddresses": {"networks": []},
    "NewCluster": {
        "name": "made",
        "agents_host": "{id}.external.example.com",
        "people_domain": "{id}.apps.example.com",
    },
    "ChangeCluster": {"name": "renamed"},
    "RotateClusterToken": {"overlap_minutes": 5},
    "SetOption": {"value": "16"},
    "SetVariable": {"value": "blue"},
    "SetVariables": {"variables": [{"name": "COLOUR", "value": "blue"}]},
    "ChangeHibernation": {"schedules": []},
    "Hibernate": {},
    "WakeUp": {},
    "Upgrade": {"version": "3.3.2"},
    "NewBackup": {},
    "RestoreBackup": {"accept_loss": True},
    "ChangeMaintenance": {"windows": []},
    "CleanUp": {},
    "NewDeploy": {"digest": ARCHIVE[0]},
    "RollBack": {},
}


def sent(api: Reconciled, caller: Any, route: str) -> int:
    """Send a request that makes sense, to things that were made for it."""
    method, _, path = route.partition(" ")
    name = f"x-{uuid4().hex[:8]}"
    filled = path.replace("{workspace}", name).replace("{token}", name).replace("{deployment}", name)
    if "{workspace}" in path:
        api.owner.post("/v1/workspaces", json={"name": name})
    if "{token}" in path:
        api.owner.post("/v1/api-tokens", json={"name": name, "role": "organization_member"})
    if "{deployment}" in path:
        api.created(name)
    if "{session}" in path:
        filled = filled.replace("{session}", str(api.session(api.owner_id)))
    if schema_of(route) == "BindRole":
        api.user("grace")
    if "{user}" in path:
        filled = filled.replace("{user}", name)
        api.user(name)
    if "{team}" in path:
        filled = filled.replace("{team}", f"{name}-team")
        api.owner.post("/v1/teams", json={"name": f"{name}-team"})
        api.owner.post(f"/v1/teams/{name}-team/members", json={"user": name})
    if "{binding}" in path:
        filled = filled.replace(
            "{binding}", made(api, "/v1/role-bindings", user="ada", role="organization_auditor")
        )
    if "{role}" in path:
        filled = filled.replace("{role}", name)
        made(api, "/v1/roles", **{**EXAMPLES["NewRole"], "name": name})
    if "{invite}" in path:
        filled = filled.replace("{invite}", made(api, "/v1/invites", **EXAMPLES["NewInvite"]))
    if path.endswith("/sign-in/activate"):
        api.owner.put("/v1/organization/sign-in", json=SIGN_IN)
        with api.platform.store.transaction(api.organization) as db:
            draft = sso_settings.of(db, sso_settings.DRAFT)
            assert draft is not None
            sso_settings.record_test(draft, SignInTest(at=api.time.now))
    filled = filled_by_life(api, path, filled, name)
    if path.endswith(("{deployment}/restore", "/purge")):
        api.owner.delete(f"/v1/deployments/{name}")
        api.reconciler.carry_out_all()
    if "{operation}" in path:
        api.driver.failing["route"] = StepFailed("no", final=True)
        filled = filled.replace("{operation}", api.create(name)["operation"])
        if not path.endswith("/cancel"):
            api.reconciler.carry_out_all()
        api.driver.failing.clear()
    assert "{" not in filled, f"{path} has a parameter that this test does not know"
    schema = schema_of(route)
    json_body = {None: None, "PurgeDeployment": {"name": name}}.get(schema, EXAMPLES.get(str(schema)))
    sends: dict[str, Any] = {"content": ARCHIVE[1]} if "{digest}" in path else {"json": json_body}
    answer = caller.request(method, filled, **sends, params={"reason": "because"})
    return int(answer.status_code)


def filled_by_life(api: Reconciled, path: str, filled: str, name: str) -> str:
    """The path with a cluster, a layer's values, a version or a backup made for it."""
    if "{cluster}" in path:
        filled = filled.replace("{cluster}", name)
        made(api, "/v1/clusters", **{**EXAMPLES["NewCluster"], "name": name})
    if "{scope}" in path:
        api.owner.post("/v1/workspaces", json={"name": name})
        layer = f"/v1/workspaces/{name}"
        filled = filled.replace("/v1/{scope}/{reference}", layer)
        filled = filled.replace("{option}", "core.parallelism").replace("{variable}", "COLOUR")
        api.owner.put(f"{layer}/configuration/core.parallelism", json=EXAMPLES["SetOption"])
        api.owner.put(f"{layer}/variables/COLOUR", json=EXAMPLES["SetVariable"])
    if path.endswith("/upgrade"):
        offered = Offered((Release("3.3.2"), Release("3.3.0")))
        api.app.state.platform = replace(api.platform, offered=offered)
        api.created(f"{name}-old", version="3.3.0")
        filled = filled.replace(name, f"{name}-old")
    if path.endswith("/move"):
        made(api, "/v1/workspaces", name="other")
    if "{digest}" in path or "/deploys" in path:
        filled = filled.replace("{digest}", ARCHIVE[0])
        kept = api.owner.put(f"/v1/deployments/{name}/archives/{ARCHIVE[0]}", content=ARCHIVE[1])
        assert kept.status_code == 200, kept.text
    if path.endswith("/roll-back"):
        api.owner.post(f"/v1/deployments/{name}/deploys", json=EXAMPLES["NewDeploy"])
        api.reconciler.carry_out_all()
    if path.endswith("/wake"):
        api.owner.post(f"/v1/deployments/{name}/hibernate", json={})
        api.reconciler.carry_out_all()
    if "{backup}" in path:
        api.owner.post(f"/v1/deployments/{name}/backups", json={})
        api.reconciler.carry_out_all()
        [backup] = api.owner.get(f"/v1/deployments/{name}/backups").json()["items"]
        filled = filled.replace("{backup}", backup["id"])
    return filled


def schema_of(route: str) -> str | None:
    body = MUTATING[route].get("requestBody")
    sent = (body or {"content": {}})["content"].get("application/json")
    return None if sent is None else str(sent["schema"]["$ref"].rpartition("/")[2])


def made(api: Reconciled, path: str, **ask: Any) -> str:
    answer = api.owner.post(path, json=ask)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@each_mutating_route
def test_scenario_20_each_mutating_route_makes_exactly_one_event(reconciled: Reconciled, route: str) -> None:
    status = sent(reconciled, reconciled.owner, route)
    assert status < 300
    made = [one for one in reconciled.events() if one["reason"] == "because"]
    assert len(made) == 1
    assert (made[0]["result"], made[0]["actor"]) == ("done", "token:ada")
    assert made[0]["target"] and made[0]["request_id"]


@each_mutating_route
def test_scenario_20_each_denied_attempt_makes_exactly_one_event(reconciled: Reconciled, route: str) -> None:
    assert sent(reconciled, reconciled.with_role(Role.ORGANIZATION_AUDITOR), route) == 403
    denied = [one for one in reconciled.events() if one["reason"] == "because"]
    assert [one["result"] for one in denied] == ["not_permitted"]


def test_the_audit_trail_is_that_of_the_callers_scope(api: Api) -> None:
    api.owner.post("/v1/workspaces", json={"name": "other"})
    api.owner.patch("/v1/workspaces/default", json={"description": "seen"})
    caller = api.with_role(Role.WORKSPACE_OWNER, workspace="default")
    targets = {one["target"] for one in caller.get("/v1/audit").json()["items"]}
    assert "workspace:default" in targets and "workspace:other" not in targets
    assert api.with_role(Role.WORKSPACE_VIEWER, workspace="default").get("/v1/audit").status_code == 403


def test_the_audit_trail_is_exported_as_lines(api: Api) -> None:
    api.owner.post("/v1/workspaces", json={"name": "other"})
    answer = api.owner.get("/v1/audit/export", params={"action": "workspace.create"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["target"] for line in answer.text.splitlines()] == ["workspace:other"]
    refused = api.with_role(Role.ORGANIZATION_MEMBER).get("/v1/audit/export")
    assert refused.status_code == 403


def test_what_changed_is_in_the_event(api: Api) -> None:
    api.owner.patch("/v1/workspaces/default", json={"description": "new"})
    assert api.events(action="workspace.update")[0]["changes"] == {"description": ["", "new"]}


# ---- what is there and what may be known


def test_what_a_caller_may_not_know_of_does_not_exist_for_it(api: Api) -> None:
    api.owner.post("/v1/workspaces", json={"name": "other"})
    caller = api.with_role(Role.WORKSPACE_OWNER, workspace="default")
    unknown, hidden = caller.get("/v1/workspaces/nothing"), caller.get("/v1/workspaces/other")
    assert unknown.status_code == hidden.status_code == 404
    assert unknown.json()["message"].replace("nothing", "other") == hidden.json()["message"]
    assert [one["name"] for one in caller.get("/v1/workspaces").json()["items"]] == ["default"]


def test_a_name_is_taken_once_and_is_no_id(api: Api) -> None:
    assert api.owner.post("/v1/workspaces", json={"name": "default"}).status_code == 409
    assert api.owner.post("/v1/workspaces", json={"name": str(uuid4())}).status_code == 422


def test_roles_and_tokens_on_a_workspace_end_with_it(api: Api) -> None:
    api.owner.post("/v1/workspaces", json={"name": "other"})
    caller = api.with_role(Role.WORKSPACE_OWNER, workspace="other")
    assert caller.delete("/v1/workspaces/other").status_code == 204
    assert caller.get("/v1/me").json()["error"] == "token_deleted"
