"""Requests as Okta and Microsoft Entra document that they send them, quirks and all."""

from __future__ import annotations

from typing import Any

import pytest

from support.platform_parts import Api
from support.scim import GROUP, PATCH, USER, Scim

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@pytest.fixture
def scim(api: Api) -> Scim:
    return Scim(api)


# ---- Okta


def test_okta_looks_for_a_person_makes_them_and_deactivates_them(scim: Scim) -> None:
    query = {"filter": 'userName eq "grace@example.com"', "startIndex": 1, "count": 100}
    found = scim.request("GET", "/Users", **query).json()
    assert (found["totalResults"], found.get("Resources", [])) == (0, [])
    body = {
        "schemas": [USER],
        "userName": "grace@example.com",
        "name": {"givenName": "Grace", "familyName": "Hopper"},
        "emails": [{"primary": True, "value": "grace@example.com", "type": "work"}],
        "displayName": "Grace Hopper",
        "locale": "en-US",
        "externalId": "00u1a2b3c4",
        "groups": [],
        "password": "1mz050nq",
        "active": True,
    }
    answer = scim.request("POST", "/Users", body)
    assert answer.status_code == 201
    made = answer.json()
    assert scim.request("GET", "/Users", **query).json()["totalResults"] == 1
    again = {**body, "id": made["id"], "meta": {"resourceType": "User"}, "displayName": "G. Hopper"}
    assert scim.request("PUT", f"/Users/{made['id']}", again).json()["displayName"] == "G. Hopper"
    off = scim.patch(made, {"op": "replace", "value": {"active": False}})
    assert off.status_code == 200 and scim.names()["grace"] == "disabled"


def test_okta_makes_a_group_and_moves_people_in_and_out(scim: Scim) -> None:
    grace, linus = scim.user("grace@example.com"), scim.user("linus@example.com")
    group = scim.request(
        "POST", "/Groups", {"schemas": [GROUP], "displayName": "Engineers", "members": []}
    ).json()
    renamed = scim.patch(group, {"op": "replace", "value": {"id": group["id"], "displayName": "Data"}})
    assert renamed.json()["displayName"] == "Data"
    both = [{"value": grace["id"], "display": "grace@example.com"}, {"value": linus["id"], "display": "l"}]
    assert _members(scim.patch(group, {"op": "add", "path": "members", "value": both})) == [grace, linus]
    one = {"op": "remove", "path": f'members[value eq "{grace["id"]}"]'}
    assert _members(scim.patch(group, one)) == [linus]
    assert _members(scim.patch(group, one)) == [linus], "sent again, it changes nothing"
    replaced = {"op": "replace", "path": "members", "value": [{"value": grace["id"]}]}
    assert _members(scim.patch(group, replaced)) == [grace]
    assert scim.request("DELETE", f"/Groups/{group['id']}").status_code == 204


# ---- Entra


def test_entra_tests_the_connection_with_a_person_who_is_not_there(scim: Scim) -> None:
    filter = 'userName eq "a8f9c3f0-non-existent-user"'
    assert scim.request("GET", "/Users", filter=filter).json()["totalResults"] == 0


def test_entra_makes_a_person_with_attributes_that_are_not_kept(scim: Scim) -> None:
    body = {
        "schemas": [USER, ENTERPRISE],
        "externalId": "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef",
        "userName": "grace@example.onmicrosoft.com",
        "active": True,
        "addresses": [{"primary": False, "type": "work", "country": "US", "formatted": "x"}],
        "displayName": "Grace",
        "emails": [{"primary": True, "type": "work", "value": "grace@example.com"}],
        "meta": {"resourceType": "User"},
        "name": {"familyName": "Hopper", "givenName": "Grace"},
        "phoneNumbers": [{"primary": False, "type": "work", "value": "555"}],
        "preferredLanguage": "en",
        "roles": [],
        "title": "x",
        ENTERPRISE: {"department": "x", "employeeNumber": "1", "manager": {"value": "y"}},
    }
    answer = scim.request("POST", "/Users", body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["schemas"] == [USER]
    found = scim.found("Users", 'externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"')
    assert [one["userName"] for one in found] == ["grace@example.onmicrosoft.com"]


@pytest.mark.parametrize("value", [False, "False", "false"], ids=["boolean", "Entra's text", "text"])
def test_entra_deactivates_a_person(scim: Scim, value: Any) -> None:
    made = scim.user("grace@example.com")
    answer = scim.patch(made, {"op": "Replace", "path": "active", "value": value})
    assert answer.status_code == 200 and answer.json()["active"] is False
    assert scim.names()["grace"] == "disabled"


def test_entra_changes_several_attributes_some_of_which_are_not_there_yet(scim: Scim) -> None:
    made = scim.user("grace@example.com")
    answer = scim.patch(
        made,
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "grace@example.com"},
        {"op": "Add", "path": 'emails[type eq "work"].primary', "value": True},
        {"op": "Replace", "path": "name.givenName", "value": "Grace"},
        {"op": "Add", "path": 'phoneNumbers[type eq "mobile"].value', "value": "555"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "Navy"},
        {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": "someone"},
        {"op": "Replace", "path": "title", "value": "Admiral"},
    )
    assert answer.status_code == 200, answer.text
    changed = answer.json()
    assert changed["emails"] == [{"type": "work", "value": "grace@example.com", "primary": True}]
    assert changed["name"] == {"givenName": "Grace"}
    again = scim.patch(
        made, {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "hopper@example.com"}
    )
    assert [one["value"] for one in again.json()["emails"]] == ["hopper@example.com"]


def test_entra_sends_paths_as_names_in_a_value(scim: Scim) -> None:
    made = scim.user("grace@example.com")
    value = {
        "displayName": "Grace Hopper",
        "name.familyName": "Hopper",
        'emails[type eq "work"].value': "grace@example.com",
        f"{ENTERPRISE}:department": "Navy",
    }
    answer = scim.patch(made, {"op": "Replace", "value": value})
    assert answer.status_code == 200, answer.text
    assert answer.json()["displayName"] == "Grace Hopper"
    assert answer.json()["name"] == {"familyName": "Hopper"}
    assert answer.json()["emails"] == [{"type": "work", "value": "grace@example.com"}]


def test_entra_finds_a_group_without_members_and_moves_people_by_values(scim: Scim) -> None:
    grace = scim.user("grace@example.com")
    group = scim.group("Data", externalId="8aa1a0c0-c4c3-4bc0-b4a5-2ef676900159")
    query = {"excludedAttributes": "members", "filter": 'displayName eq "Data"'}
    assert scim.request("GET", "/Groups", **query).json()["totalResults"] == 1
    value = [{"$ref": None, "value": grace["id"]}]
    assert _members(scim.patch(group, {"op": "Add", "path": "members", "value": value})) == [grace]
    assert _members(scim.patch(group, {"op": "Remove", "path": "members", "value": value})) == []


def _members(answer: Any) -> list[Any]:
    """The people whom the group has after a change, in the order of their user names."""
    assert answer.status_code == 200, answer.text
    return [_Id(one["value"]) for one in answer.json().get("members", [])]


class _Id(str):
    """Equal to the person of that id."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return str(self) == (other["id"] if isinstance(other, dict) else other)


# ---- and what nobody should send


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
        ({"op": "replace", "path": "userName", "value": ""}, "invalidValue"),
        ({"op": "remove", "path": "userName"}, "mutability"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "multiply", "path": "displayName", "value": 1}, "invalidValue"),
        ({"op": "replace", "path": "emails[", "value": 1}, "invalidPath"),
        ({"op": "replace", "path": 7, "value": 1}, "invalidPath"),
        ({"path": "displayName", "value": "x"}, "invalidSyntax"),
    ],
    ids=[
        "id",
        "no user name",
        "required",
        "no path",
        "another verb",
        "no path's form",
        "a number",
        "no verb",
    ],
)
def test_a_change_that_makes_no_sense_is_refused_and_changes_nothing(
    scim: Scim, operation: dict[str, Any], scim_type: str
) -> None:
    made = scim.user("grace@example.com")
    answer = scim.patch(made, {"op": "replace", "path": "displayName", "value": "G."}, operation)
    assert (answer.status_code, answer.json()["scimType"]) == (400, scim_type), answer.text
    assert scim.request("GET", f"/Users/{made['id']}").json() == made


@pytest.mark.parametrize("operations", [None, [], {}, "x", [1]], ids=repr)
def test_a_change_without_operations_is_refused(scim: Scim, operations: Any) -> None:
    made = scim.user("grace@example.com")
    body = {"schemas": [PATCH], "Operations": operations}
    answer = scim.request("PATCH", f"/Users/{made['id']}", body)
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidSyntax")


def test_taking_away_whether_a_person_is_active_leaves_what_it_was(scim: Scim) -> None:
    made = scim.user("grace@example.com", active=False)
    assert scim.patch(made, {"op": "remove", "path": "active"}).json()["active"] is False
    assert scim.names()["grace"] == "disabled"
