"""SCIM is off until an owner makes a token, and the token opens SCIM alone."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from support.platform_parts import Api
from support.scim import BASE, Scim, new_token
from tradewind_platform.domain.roles import Role
from tradewind_platform.store.scim_tables import ScimToken

SETTINGS = "/v1/organization/scim"


@pytest.mark.parametrize("path", ["/Users", "/Groups", "/ServiceProviderConfig", "/nothing", ""])
def test_scim_is_off_until_an_owner_makes_a_token(api: Api, path: str) -> None:
    for caller in (api.caller(None), api.owner, api.caller("tw_scim_" + "a" * 43)):
        answer = caller.get(BASE + path)
        assert answer.status_code == 401
        assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert answer.json()["status"] == "401"
    assert api.owner.get(SETTINGS).json()["enabled"] is False


def test_a_token_is_shown_once_and_kept_as_a_hash(api: Api) -> None:
    token = new_token(api)
    shown = api.owner.get(SETTINGS).json()
    assert shown["enabled"] and shown["prefix"] == token[:12] and "token" not in shown
    assert shown["base_url"] == "http://127.0.0.1:8700/scim/v2"
    with api.platform.store.reading(api.organization) as db:
        row = db.scalars(select(ScimToken)).one()
    assert token not in repr(vars(row)) and len(row.hash) == 64
    assert token not in str(api.events())


def test_a_scim_token_opens_nothing_of_the_platforms_own_api(api: Api) -> None:
    assert api.caller(new_token(api)).get("/v1/users").status_code == 401


def test_the_time_of_the_last_request_is_shown(api: Api) -> None:
    scim = Scim(api)
    assert api.owner.get(SETTINGS).json()["last_used_at"] is None
    api.time.pass_(minutes=5)
    assert scim.request("GET", "/Users").status_code == 200
    assert api.owner.get(SETTINGS).json()["last_used_at"] == "2026-03-01T12:05:00Z"


def test_a_token_that_was_replaced_is_good_for_the_overlap(api: Api) -> None:
    old = api.caller(new_token(api))
    new = api.caller(new_token(api, overlap_minutes=30))
    assert old.get(f"{BASE}/Users").status_code == new.get(f"{BASE}/Users").status_code == 200
    api.time.pass_(minutes=30)
    assert (old.get(f"{BASE}/Users").status_code, new.get(f"{BASE}/Users").status_code) == (403, 200)


def test_a_revoked_token_opens_nothing_and_users_stay(api: Api) -> None:
    scim = Scim(api)
    scim.user("grace@example.com")
    assert api.owner.delete(f"{SETTINGS}/token").status_code == 204
    assert scim.request("GET", "/Users").status_code == 401
    assert scim.names()["grace"] == "active"
    assert api.owner.delete(f"{SETTINGS}/token").status_code == 204
    assert api.events()[0]["changes"] == {}


@pytest.mark.parametrize("role", [one for one in Role if one.level.value == "organization"])
def test_only_owners_turn_scim_on_and_off(api: Api, role: Role) -> None:
    caller, may = api.with_role(role), role is Role.ORGANIZATION_OWNER
    assert caller.post(f"{SETTINGS}/token", json={}).status_code == (201 if may else 403)
    assert caller.delete(f"{SETTINGS}/token").status_code == (204 if may else 403)


def test_making_and_revoking_a_token_is_in_the_audit_trail(api: Api) -> None:
    new_token(api)
    new_token(api)
    api.owner.delete(f"{SETTINGS}/token", params={"reason": "moved"})
    events = [one for one in api.events() if one["action"].startswith("scimToken.")]
    assert [(one["action"], one["actor"], one["changes"]) for one in events] == [
        ("scimToken.delete", "token:ada", {"token": "revoked"}),
        ("scimToken.create", "token:ada", {"token": "changed"}),
        ("scimToken.create", "token:ada", {"token": "created"}),
    ]
    assert events[0]["reason"] == "moved"
