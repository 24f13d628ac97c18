"""API tokens: which open what, for how long, and who makes them (scenario 8, the platform's own API)."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from support.platform_parts import NOW, Api, Time
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.store.base import Base
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import RoleBinding, User


def created(api: Api, **ask: Any) -> dict[str, Any]:
    answer = api.owner.post("/v1/api-tokens", json={"name": "ci", "role": "organization_owner", **ask})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(api: Api, token: str | None) -> tuple[int, str]:
    answer = api.caller(token).get("/v1/me")
    return answer.status_code, answer.json().get("error", "")


def test_a_token_opens_what_its_role_says(api: Api) -> None:
    token = created(api, role="workspace_viewer", workspace="default")
    caller = api.caller(token["token"])
    allowed = ["deployment.agents.get", "deployment.get", "workspace.get"]
    assert caller.get("/v1/me").json()["grants"] == [
        {
            "role": "workspace_viewer",
            "workspace": token["workspace"],
            "deployment": None,
            "permissions": allowed,
        }
    ]
    assert caller.get("/v1/workspaces/default").status_code == 200
    refused = caller.post("/v1/workspaces", json={"name": "other"})
    assert (refused.status_code, refused.json()["error"]) == (403, "not_permitted")
    assert "workspace.create" in refused.json()["message"] and refused.json()["remedy"]


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        (None, 401, "token_missing"),
        ("nonsense", 401, "token_malformed"),
        ("tw_agent_" + "a" * 51, 401, "token_malformed"),
        ("tw_api_" + "a" * 43, 401, "token_unknown"),
    ],
)
def test_each_wrong_credential_is_told_apart(api: Api, token: str | None, status: int, code: str) -> None:
    assert told(api, token) == (status, code)


def test_the_credential_is_checked_before_the_body_is_read(api: Api) -> None:
    answer = api.caller(None).post("/v1/workspaces", content=b"{" * 100)
    assert (answer.status_code, answer.json()["error"]) == (401, "token_missing")


def test_a_token_expires(api: Api, time: Time) -> None:
    token = created(api, expires_in_days=1)["token"]
    time.pass_(hours=23, minutes=59)
    assert told(api, token)[0] == 200
    time.pass_(minutes=1)
    assert told(api, token) == (403, "token_expired")


def test_a_rotated_token_has_two_values_for_the_overlap(api: Api, time: Time) -> None:
    first = created(api)["token"]
    second = api.owner.post("/v1/api-tokens/ci/rotate", json={"overlap_minutes": 10}).json()["token"]
    time.pass_(minutes=9)
    assert told(api, first)[0] == told(api, second)[0] == 200
    time.pass_(minutes=1)
    assert told(api, first) == (403, "token_expired")
    assert told(api, second)[0] == 200


def test_a_second_rotation_does_not_make_an_old_value_good_for_longer(api: Api, time: Time) -> None:
    first = created(api)["token"]
    api.owner.post("/v1/api-tokens/ci/rotate", json={"overlap_minutes": 10})
    api.owner.post("/v1/api-tokens/ci/rotate", json={"overlap_minutes": 1000})
    time.pass_(minutes=10)
    assert told(api, first) == (403, "token_expired")


def test_a_personal_token_gets_no_value_of_one_that_may_more(api: Api) -> None:
    narrow = api.caller(created(api, name="narrow", role="organization_member", personal=True)["token"])
    before = api.owner.get("/v1/api-tokens/ada").json()
    answer = narrow.post("/v1/api-tokens/ada/rotate", json={})
    assert (answer.status_code, answer.json()["error"]) == (403, "not_permitted")
    assert "may do more than token:narrow" in answer.json()["message"] and answer.json()["remedy"]
    assert api.owner.get("/v1/api-tokens/ada").json()["revision"] == before["revision"]
    assert narrow.post("/v1/api-tokens/narrow/rotate", json={}).status_code == 200, "its own it may"
    assert api.owner.post("/v1/api-tokens/narrow/rotate", json={}).status_code == 200, (
        "and what has all of it"
    )


def test_a_personal_token_ends_nothing_of_its_owner_that_may_more(api: Api) -> None:
    """Else a token for one small thing, in wrong hands, locks its owner out."""
    narrow = api.caller(created(api, name="narrow", role="organization_member", personal=True)["token"])
    browser = api.signed_in("grace", Binding(Role.ORGANIZATION_OWNER, ORGANIZATION))
    asked = {"name": "small", "role": "organization_member", "personal": True}
    small = api.caller(browser.post("/v1/api-tokens", json=asked).json()["token"])
    session = browser.get("/v1/me").json()["session"]["id"]
    for caller, path in (
        (narrow, "api-tokens/ada"),
        (small, "me/sessions"),
        (small, f"me/sessions/{session}"),
    ):
        answer = caller.delete(f"/v1/{path}")
        assert (answer.status_code, answer.json()["error"]) == (403, "not_permitted"), path
        assert "may do more than token:" in answer.json()["message"] and answer.json()["remedy"]
    assert browser.get("/v1/me").status_code == api.owner.get("/v1/me").status_code == 200
    assert narrow.delete("/v1/api-tokens/narrow").status_code == 204, "itself it may"
    assert api.owner.delete("/v1/api-tokens/small").status_code == 204, "and what has all of it"


def test_a_deleted_token_opens_nothing_from_then_on(api: Api) -> None:
    token = created(api)
    assert api.owner.delete(f"/v1/api-tokens/{token['id']}").status_code == 204
    assert told(api, token["token"]) == (403, "token_deleted")
    assert "ci" not in {one["name"] for one in api.owner.get("/v1/api-tokens").json()["items"]}


def test_scenario_8_the_owners_demotion_lowers_a_personal_token(api: Api, store: Store) -> None:
    token = api.caller(created(api, personal=True)["token"])
    assert token.post("/v1/workspaces", json={"name": "one"}).status_code == 201
    with store.transaction(api.organization) as db:
        for binding in db.query(RoleBinding).filter(RoleBinding.user_id == api.owner_id):
            binding.role = Role.ORGANIZATION_AUDITOR.value
    assert token.post("/v1/workspaces", json={"name": "two"}).status_code == 403
    assert token.get("/v1/workspaces").json()["total"] == 2
    with store.transaction(api.organization) as db:
        db.get_one(User, api.owner_id).disabled_at = NOW
    assert token.get("/v1/workspaces").json()["total"] == 0


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        ({"role": "workspace_owner", "workspace": "default"}, 201),
        ({"role": "workspace_viewer", "workspace": "default"}, 201),
        ({"role": "organization_member"}, 403),
        ({"role": "workspace_viewer", "workspace": "other"}, 404),
        ({"role": "workspace_viewer"}, 422),
        ({"role": "organization_owner", "workspace": "default"}, 422),
        ({"role": "king"}, 422),
        ({"role": "workspace_owner", "workspace": "default", "personal": True}, 409),
    ],
)
def test_a_caller_gives_no_more_than_it_has(api: Api, ask: dict[str, Any], status: int) -> None:
    api.owner.post("/v1/workspaces", json={"name": "other"})
    caller = api.with_role(Role.WORKSPACE_OWNER, workspace="default")
    assert caller.post("/v1/api-tokens", json={"name": "made", **ask}).status_code == status


def test_a_workspace_owner_sees_and_ends_the_tokens_of_its_workspace_only(api: Api) -> None:
    api.owner.post("/v1/workspaces", json={"name": "other"})
    caller = api.with_role(Role.WORKSPACE_OWNER, workspace="default")
    api.with_role(Role.WORKSPACE_VIEWER, workspace="other")
    everyone = api.owner.get("/v1/api-tokens").json()["items"]
    own = [one for one in everyone if one["role"] == "workspace_owner"]
    assert [one["id"] for one in caller.get("/v1/api-tokens").json()["items"]] == [own[0]["id"]]
    for one in sorted(everyone, key=lambda one: bool(one["id"] == own[0]["id"])):
        expected = 204 if one["id"] == own[0]["id"] else 404
        assert caller.delete(f"/v1/api-tokens/{one['id']}").status_code == expected


def test_the_value_of_a_token_is_in_no_table_and_in_no_other_answer(api: Api, store: Store) -> None:
    asked = {"name": "ci", "role": "organization_owner"}
    value = api.owner.post("/v1/api-tokens", json=asked, headers={"Idempotency-Key": "k"}).json()["token"]
    with store.across_organizations() as db:
        everything = repr(
            [tuple(row) for table in Base.metadata.tables.values() for row in db.execute(select(table))]
        )
    assert value not in everything and value[:11] in everything
    answers = [api.owner.get(path).text for path in ("/v1/api-tokens", "/v1/api-tokens/ci", "/v1/audit")]
    assert not [one for one in answers if value in one]


def test_when_a_token_was_used_is_written_once_a_minute(api: Api, time: Time) -> None:
    token = created(api)

    def last_used() -> Any:
        return api.owner.get(f"/v1/api-tokens/{token['id']}").json()["last_used_at"]

    assert last_used() is None
    told(api, token["token"])
    first = last_used()
    time.pass_(seconds=59)
    told(api, token["token"])
    assert last_used() == first
    time.pass_(seconds=1)
    told(api, token["token"])
    assert last_used() > first
