"""Custom roles: nobody gets by one what its maker does not have, and a name is a role's for ever."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from support.platform_parts import Reconciled
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Level, Role, Target
from tradewind_platform.store.tables import RoleBinding
from tradewind_protocol.access import AccessDocument

ON_CALL = {
    "name": "on-call",
    "description": "Hibernates and wakes at night",
    "permissions": ["deployment.hibernate", "deployment.agents.get"],
    "airflow_role": "VIEWER",
}


@pytest.fixture
def sales(reconciled: Reconciled) -> dict[str, Any]:
    """A Deployment in the workspace `default`."""
    return reconciled.created("sales")


def role(api: Reconciled, name: str = "on-call", **more: Any) -> dict[str, Any]:
    answer = api.owner.post("/v1/roles", json={**ON_CALL, "name": name, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def given(api: Reconciled, name: str, user: str, deployment: str = "sales") -> str:
    asked = {"user": user, "role": name, "deployment": deployment}
    answer = api.owner.post("/v1/role-bindings", json=asked)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def token(api: Reconciled, name: str, deployment: str = "sales") -> TestClient:
    asked = {"name": f"t-{name}", "role": name, "deployment": deployment}
    answer = api.owner.post("/v1/api-tokens", json=asked)
    assert answer.status_code == 201, answer.text
    return api.caller(answer.json()["token"])


def refused(answer: Any, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    for one in words:
        assert one in answer.json()["message"]


def document(api: Reconciled, deployment: dict[str, Any]) -> AccessDocument:
    return api.platform.access_documents.of(api.organization, UUID(deployment["id"]))


# ---- what it gives


def test_a_role_gives_what_it_names_and_no_more(reconciled: Reconciled, sales: dict[str, Any]) -> None:
    role(reconciled)
    caller = token(reconciled, "on-call")
    assert caller.get("/v1/deployments/sales").status_code == 200
    assert caller.post("/v1/deployments/sales/hibernate", json={}).status_code in (200, 202)
    refused(caller.delete("/v1/deployments/sales"), 403, "deployment.delete")
    refused(caller.get("/v1/deployments/sales/configuration"), 403, "deployment.config.get")


def test_a_role_is_given_to_users_teams_and_tokens_as_a_built_in_one_is(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    api = reconciled
    role(api)
    eve = api.user("eve", Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION))
    api.owner.post("/v1/teams", json={"name": "nights"})
    api.owner.post("/v1/teams/nights/members", json={"user": "eve"})
    bound = api.owner.post(
        "/v1/role-bindings", json={"team": "nights", "role": "on-call", "deployment": "sales"}
    )
    assert bound.status_code == 201, bound.text
    explained = api.owner.get("/v1/access/eve", params={"deployment": "sales"}).json()
    assert "deployment.hibernate" in explained["permissions"] and explained["airflow_role"] == "VIEWER"
    assert [(one["role"], one["team"]) for one in explained["paths"]][-1] == ("on-call", "nights")
    assert [one.role for one in document(api, sales).users if one.id == eve] == ["VIEWER"]


@pytest.mark.parametrize("scope", [{}, {"workspace": "default"}], ids=["the organization", "a workspace"])
def test_a_custom_role_is_given_on_deployments_only(reconciled: Reconciled, scope: dict[str, str]) -> None:
    role(reconciled)
    answer = reconciled.owner.post("/v1/api-tokens", json={"name": "x", "role": "on-call", **scope})
    refused(answer, 422, "on-call is one of the level deployment")


def test_a_deployment_can_always_be_seen_by_one_with_a_role_on_it(reconciled: Reconciled) -> None:
    made = role(reconciled, permissions=["deployment.hibernate"], airflow_role=None)
    assert made["permissions"] == ["deployment.get", "deployment.hibernate"]


def test_a_changed_role_counts_for_its_holders_from_the_next_request(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    role(reconciled)
    caller = token(reconciled, "on-call")
    before = reconciled.platform.access_documents.revision(reconciled.organization)
    changed = reconciled.owner.patch("/v1/roles/on-call", json={"permissions": ["deployment.config.get"]})
    assert changed.status_code == 200 and changed.headers["ETag"] == '"2"'
    assert changed.json()["airflow_role"] == "VIEWER", "what is not sent stays"
    assert caller.get("/v1/deployments/sales/configuration").status_code == 200
    refused(caller.post("/v1/deployments/sales/hibernate", json={}), 403)
    assert reconciled.platform.access_documents.revision(reconciled.organization) > before


def test_what_only_describes_a_role_wakes_no_deployment(reconciled: Reconciled) -> None:
    role(reconciled)
    before = reconciled.platform.access_documents.revision(reconciled.organization)
    assert reconciled.owner.patch("/v1/roles/on-call", json={"description": "nights"}).status_code == 200
    assert reconciled.platform.access_documents.revision(reconciled.organization) == before


def test_a_personal_token_with_a_custom_role_never_has_more_than_its_owner(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    api = reconciled
    role(api)
    id = given_id(sales)
    eve = api.signed_in("eve", Binding(Role.DEPLOYMENT_OPERATOR, id))
    asked = {"name": "eves", "role": "on-call", "deployment": "sales", "personal": True}
    made = eve.post("/v1/api-tokens", json=asked)
    assert made.status_code == 201, made.text
    caller = api.caller(made.json()["token"])
    assert caller.get("/v1/deployments/sales").status_code == 200
    api.owner.patch("/v1/users/eve", json={"disabled": True})
    assert caller.get("/v1/deployments/sales").status_code == 404


# ---- who may make one


def given_id(deployment: dict[str, Any]) -> Target:
    return Target(UUID(deployment["workspace"]), UUID(deployment["id"]))


def test_an_owner_of_a_workspace_makes_roles_for_it_and_for_no_other(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "other"})
    caller = reconciled.with_role(Role.WORKSPACE_OWNER, workspace="default")
    made = caller.post("/v1/roles", json={**ON_CALL, "workspaces": ["default"]})
    assert made.status_code == 201, made.text
    refused(caller.post("/v1/roles", json={**ON_CALL, "name": "wide"}), 403, "may not make or change")
    refused(caller.post("/v1/roles", json={**ON_CALL, "name": "x", "workspaces": ["other"]}), 404)
    widened = caller.patch("/v1/roles/on-call", json={"workspaces": None})
    refused(widened, 403, "may not make or change")
    assert reconciled.owner.get("/v1/roles/on-call").json()["workspaces"] == [sales["workspace"]]


@pytest.mark.parametrize(
    "maker",
    [Role.WORKSPACE_OPERATOR, Role.WORKSPACE_VIEWER, Role.ORGANIZATION_AUDITOR, Role.DEPLOYMENT_ADMIN],
    ids=lambda one: one.value,
)
def test_one_who_does_not_change_members_of_the_workspace_makes_no_role_and_changes_none(
    reconciled: Reconciled, sales: dict[str, Any], maker: Role
) -> None:
    role(reconciled, workspaces=["default"])
    scopes: dict[Level, dict[str, str]] = {
        Level.ORGANIZATION: {},
        Level.WORKSPACE: {"workspace": "default"},
        Level.DEPLOYMENT: {"deployment": "sales"},
    }
    caller = reconciled.with_role(maker, **scopes[maker.level])
    refused(caller.post("/v1/roles", json={**ON_CALL, "name": "x", "workspaces": ["default"]}), 403)
    refused(caller.patch("/v1/roles/on-call", json={"permissions": []}), 403)
    refused(caller.delete("/v1/roles/on-call"), 403)


@pytest.mark.parametrize(
    "more",
    [{"permissions": ["deployment.delete"]}, {"airflow_role": "ADMIN"}],
    ids=["a permission", "a role in Airflow"],
)
def test_nobody_gives_by_a_role_what_they_do_not_have(
    reconciled: Reconciled, sales: dict[str, Any], more: dict[str, Any]
) -> None:
    """A custom role may let its holder change members: that holder gives, by a role or by a change of one, no more than they have."""
    api = reconciled
    members = ["members.get", "members.update", "deployment.agents.get", "deployment.hibernate"]
    role(api, "people", permissions=members, airflow_role="VIEWER")
    role(api, "strong", **more)
    role(api)
    caller = token(api, "people")
    api.user("eve")
    asked = {"user": "eve", "deployment": "sales"}
    refused(caller.post("/v1/role-bindings", json={**asked, "role": "strong"}), 403)
    refused(caller.patch("/v1/roles/on-call", json=more), 403)
    assert caller.post("/v1/role-bindings", json={**asked, "role": "on-call"}).status_code == 201
    refused(caller.post("/v1/role-bindings", json={**asked, "role": "deployment_operator"}), 403)


def test_an_owner_of_a_workspace_does_not_change_a_role_that_others_hold_elsewhere(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "other"})
    other = reconciled.owner.get("/v1/workspaces/other").json()["id"]
    role(reconciled, workspaces=["default", "other"])
    caller = reconciled.with_role(Role.WORKSPACE_OWNER, workspace="default")
    refused(caller.patch("/v1/roles/on-call", json={"permissions": []}), 403)
    assert other in caller.get("/v1/roles/on-call").json()["workspaces"]


@pytest.mark.parametrize(
    "permission", ["clusters.update", "workspace.delete", "organization.get", "deployment.everything"]
)
def test_a_custom_role_has_nothing_that_is_not_about_a_deployment(
    reconciled: Reconciled, permission: str
) -> None:
    answer = reconciled.owner.post("/v1/roles", json={**ON_CALL, "permissions": [permission]})
    refused(answer, 422, f"a custom role cannot have {permission}")


def test_what_a_role_may_have_is_listed_once_in_groups(reconciled: Reconciled) -> None:
    found = reconciled.owner.get("/v1/authorization/permission-groups").json()
    listed = [one for group in found["groups"] for one in group["permissions"]]
    assert sorted(listed) == sorted(one.value for one in Role.DEPLOYMENT_ADMIN.permissions)
    assert all(group["permissions"] for group in found["groups"])
    assert (found["airflow_roles"], found["always"]) == (
        ["VIEWER", "USER", "OP", "ADMIN"],
        ["deployment.get"],
    )
    everything = {"name": "everything", "permissions": listed, "airflow_role": "ADMIN"}
    assert reconciled.owner.post("/v1/roles", json=everything).status_code == 201


# ---- where it may be given


def test_a_role_of_one_workspace_is_not_given_in_another(reconciled: Reconciled) -> None:
    api = reconciled
    api.owner.post("/v1/workspaces", json={"name": "other"})
    api.created("elsewhere", workspace="other")
    role(api, workspaces=["default"])
    answer = api.owner.post(
        "/v1/api-tokens", json={"name": "x", "role": "on-call", "deployment": "elsewhere"}
    )
    refused(answer, 409, "on-call is not given on Deployments of this workspace")


def test_a_role_does_not_leave_a_workspace_in_which_someone_has_it(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    api = reconciled
    api.owner.post("/v1/workspaces", json={"name": "other"})
    role(api)
    api.user("eve")
    binding = given(api, "on-call", "eve")
    refused(api.owner.patch("/v1/roles/on-call", json={"workspaces": ["other"]}), 409, "user eve")
    api.owner.delete(f"/v1/role-bindings/{binding}")
    assert api.owner.patch("/v1/roles/on-call", json={"workspaces": ["other"]}).status_code == 200


# ---- its name, and its end


def test_a_role_that_someone_has_is_not_deleted_and_the_answer_names_them(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    api = reconciled
    role(api)
    api.user("eve")
    binding = given(api, "on-call", "eve")
    caller = token(api, "on-call")
    invite = {"email": "linus@example.com", "role": "on-call", "deployment": "sales"}
    invited = api.owner.post("/v1/invites", json=invite).json()["id"]
    words = ("user eve", "API token t-on-call", "invite linus@example.com")
    refused(api.owner.delete("/v1/roles/on-call"), 409, *words)
    for path in (f"role-bindings/{binding}", "api-tokens/t-on-call", f"invites/{invited}"):
        assert api.owner.delete(f"/v1/{path}").status_code == 204
    assert api.owner.delete("/v1/roles/on-call").status_code == 204
    assert caller.get("/v1/deployments/sales").status_code in (401, 403)


def test_the_name_of_a_deleted_role_is_no_roles_again(reconciled: Reconciled) -> None:
    api = reconciled
    role(api)
    assert api.owner.delete("/v1/roles/on-call").status_code == 204
    assert "on-call" in api.owner.get("/v1/roles").json()["retired"]
    asked = {"name": "viewer", "role": "workspace_viewer", "workspace": "default"}
    viewer = api.caller(api.owner.post("/v1/api-tokens", json=asked).json()["token"])
    assert viewer.get("/v1/roles").json()["retired"] == [], "of use to one who makes roles only"
    refused(api.owner.post("/v1/roles", json=ON_CALL), 409, "was deleted, and no role gets its name again")
    asked = {"name": "x", "role": "on-call", "deployment": "sales"}
    refused(api.owner.post("/v1/api-tokens", json=asked), 422, "is no more, and no role gets its name again")
    refused(api.owner.get("/v1/roles/on-call"), 404)


@pytest.mark.parametrize("name", ["deployment_admin", "as_owner", "On-Call", "", "a b"])
def test_no_custom_role_has_the_name_of_a_built_in_one_or_could_have_one_of_a_later_one(
    reconciled: Reconciled, name: str
) -> None:
    assert all("_" in one.value for one in Role), (
        "a built-in role's name has an underscore, a custom one's has none"
    )
    assert reconciled.owner.post("/v1/roles", json={**ON_CALL, "name": name}).status_code == 422


def test_a_built_in_role_is_read_and_does_not_change(reconciled: Reconciled) -> None:
    path = "/v1/roles/deployment_viewer"
    shown = reconciled.owner.get(path).json()
    assert (shown["custom"], shown["airflow_role"]) == (False, "VIEWER")
    refused(reconciled.owner.patch(path, json={"permissions": []}), 409, "is built in")
    refused(reconciled.owner.delete(path), 409, "is built in")


def test_a_binding_whose_role_is_gone_gives_nothing_and_can_be_taken_away(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    """As in a database that was restored by hand, or is read by an older release."""
    api = reconciled
    eve = api.user("eve", Binding(Role.ORGANIZATION_MEMBER, ORGANIZATION))
    with api.platform.store.transaction(api.organization) as db:
        db.add(
            RoleBinding(
                user_id=eve,
                role="never-made",
                workspace_id=UUID(sales["workspace"]),
                deployment_id=UUID(sales["id"]),
                created_at=api.time.now,
                created_by="ada",
            )
        )
    explained = api.owner.get("/v1/access/eve", params={"deployment": "sales"})
    assert explained.status_code == 200 and explained.json()["permissions"] == ["members.get"]
    bindings = api.owner.get("/v1/role-bindings", params={"user": "eve"}).json()["items"]
    [dead] = [one for one in bindings if one["role"] == "never-made"]
    assert api.owner.delete(f"/v1/role-bindings/{dead['id']}").status_code == 204


def test_a_role_of_another_revision_is_not_changed(reconciled: Reconciled) -> None:
    role(reconciled)
    reconciled.owner.patch("/v1/roles/on-call", json={"description": "nights"})
    stale = {"If-Match": '"1"'}
    assert (
        reconciled.owner.patch("/v1/roles/on-call", json={"permissions": []}, headers=stale).status_code
        == 412
    )
    assert reconciled.owner.delete("/v1/roles/on-call", headers=stale).status_code == 412
    assert reconciled.owner.delete("/v1/roles/on-call", headers={"If-Match": '"2"'}).status_code == 204


def test_the_audit_trail_says_what_changed_of_a_role(reconciled: Reconciled) -> None:
    role(reconciled)
    reconciled.owner.patch("/v1/roles/on-call", json={"permissions": [], "airflow_role": None})
    [event] = reconciled.events(action="role.update")
    assert (event["target"], event["changes"]) == (
        "role:on-call",
        {
            "permissions": [
                ["deployment.agents.get", "deployment.get", "deployment.hibernate"],
                ["deployment.get"],
            ],
            "airflow_role": ["VIEWER", None],
        },
    )


def test_a_role_of_a_workspace_is_known_to_those_of_the_workspace(reconciled: Reconciled) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "other"})
    role(reconciled, "theirs", workspaces=["other"])
    role(reconciled, "everyones")
    caller = reconciled.with_role(Role.WORKSPACE_VIEWER, workspace="default")
    names = {one["name"] for one in caller.get("/v1/roles").json()["roles"]}
    assert "everyones" in names and "theirs" not in names
    refused(caller.get("/v1/roles/theirs"), 404)


def test_an_auditor_gives_by_a_role_nothing_that_an_auditor_may_not_on_the_operator_api(
    reconciled: Reconciled, sales: dict[str, Any]
) -> None:
    role(reconciled, "members", permissions=["members.get", "members.update"], airflow_role=None)
    role(reconciled, "sites", permissions=["deployment.sites.get"], airflow_role=None)
    eve = reconciled.signed_in("eve", Binding(Role.ORGANIZATION_AUDITOR, ORGANIZATION))
    given(reconciled, "members", "eve")
    reconciled.user("bob")
    answer = eve.post("/v1/role-bindings", json={"user": "bob", "role": "sites", "deployment": "sales"})
    refused(answer, 403)
    answer = eve.post("/v1/role-bindings", json={"user": "bob", "role": "members", "deployment": "sales"})
    assert answer.status_code == 201, "what eve has, eve gives"
