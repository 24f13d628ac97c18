"""People whom an identity provider pushes: made, changed, deactivated and deleted."""

from __future__ import annotations

from typing import Any

import pytest

from support.platform_parts import PASSWORD, Api
from support.scim import Scim
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.services import api_tokens

GRACE = {
    "externalId": "subject-of-grace",
    "name": {"givenName": "Grace", "familyName": "Hopper"},
    "displayName": "Grace Hopper",
    "emails": [{"value": "grace@example.com", "type": "work", "primary": True}],
    "active": True,
}
OFF = {"op": "replace", "path": "active", "value": False}
ON = {"op": "replace", "path": "active", "value": True}


@pytest.fixture
def scim(api: Api) -> Scim:
    return Scim(api)


def test_a_person_who_is_pushed_is_a_user_without_any_role(scim: Scim) -> None:
    made = scim.user("grace@example.com", **GRACE)
    shown = scim.api.owner.get("/v1/users/grace").json()
    assert (shown["id"], shown["status"], shown["provisioned"]) == (made["id"], "active", True)
    assert (shown["full_name"], shown["email"]) == ("Grace Hopper", "grace@example.com")
    assert scim.api.owner.get("/v1/access/grace").json()["permissions"] == []
    assert made["meta"]["location"] == f"http://127.0.0.1:8700/scim/v2/Users/{made['id']}"
    assert made["userName"] == "grace@example.com" and made["name"]["familyName"] == "Hopper"
    assert scim.request("GET", f"/Users/{made['id']}").json() == made


def test_what_the_platform_has_no_use_for_is_not_kept(scim: Scim) -> None:
    made = scim.user(
        "grace@example.com", password="canary-password", title="Admiral", phoneNumbers=[{"value": "+1 555"}]
    )
    assert not {"password", "title", "phoneNumbers"} & made.keys()
    dumped = "".join(scim.api.platform.store.engine.raw_connection().iterdump()) if _on_sqlite(scim) else ""
    assert "canary-password" not in dumped and "Admiral" not in dumped


def _on_sqlite(scim: Scim) -> bool:
    return scim.api.platform.store.engine.dialect.name == "sqlite"


def test_a_user_name_is_taken_once_whatever_its_case(scim: Scim) -> None:
    scim.user("grace@example.com")
    answer = scim.request("POST", "/Users", {"userName": "Grace@Example.com"})
    assert (answer.status_code, answer.json()["scimType"]) == (409, "uniqueness")
    assert answer.headers["content-type"] == "application/scim+json"


def test_people_of_one_name_get_users_of_two_names(scim: Scim) -> None:
    scim.user("grace@example.com")
    scim.user("grace@example.org")
    assert {"grace", "grace-2"} <= scim.names().keys()


def test_an_address_of_an_internal_domain_is_an_address(scim: Scim) -> None:
    made = scim.user("grace", emails=[{"value": "grace@corp.local"}])
    assert made["emails"][0]["value"] == "grace@corp.local"


def test_a_replacement_leaves_nothing_of_what_was_there(scim: Scim) -> None:
    made = scim.user("grace@example.com", **GRACE)
    body = {"userName": "hopper@example.com", "active": True}
    answer = scim.request("PUT", f"/Users/{made['id']}", body)
    assert answer.status_code == 200
    assert answer.json()["userName"] == "hopper@example.com"
    assert not {"emails", "name", "externalId", "displayName"} & answer.json().keys()
    assert "grace" in scim.names(), "the name in the platform stays: roles and the audit trail have it"


def test_a_person_who_is_no_longer_active_is_out_at_once(scim: Scim) -> None:
    made = scim.user("grace@example.com", **GRACE)
    api = scim.api
    with api.platform.store.transaction(api.organization) as db:
        owns = Binding(Role.ORGANIZATION_AUDITOR, ORGANIZATION)
        token = api_tokens.made(
            db, name="ci", binding=None, owner=_id(made), by="grace", now=api.time.now
        ).token
    grants = api.owner.post("/v1/role-bindings", json={"user": "grace", "role": owns.role.value})
    assert grants.status_code == 201
    session = api.session(_id(made))
    caller = api.caller(token)
    assert caller.get("/v1/audit").status_code == 200
    before = api.platform.access_documents.revision(api.organization)
    assert scim.patch(made, OFF).json()["active"] is False
    assert scim.names()["grace"] == "disabled"
    assert caller.get("/v1/audit").status_code == 403
    assert session in _ended(api)
    assert api.platform.access_documents.revision(api.organization) > before, "Deployments are told"


def _id(made: dict[str, Any]) -> Any:
    from uuid import UUID

    return UUID(made["id"])


def _ended(api: Api) -> set[Any]:
    from sqlalchemy import select

    from tradewind_platform.store.people_tables import SignInSession

    with api.platform.store.reading(api.organization) as db:
        return set(db.scalars(select(SignInSession.id).where(SignInSession.ended_at.is_not(None))))


def test_a_person_who_is_active_again_may_come_in_again(scim: Scim) -> None:
    made = scim.user("grace@example.com")
    scim.patch(made, OFF)
    assert scim.patch(made, ON).json()["active"] is True
    assert scim.names()["grace"] == "active"


def test_a_change_has_a_thousand_operations_at_the_most(scim: Scim) -> None:
    made = scim.user("grace@example.com")
    answer = scim.patch(made, *[OFF] * 1001)
    assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidSyntax")
    assert scim.names()["grace"] == "active"


def test_nobody_comes_in_again_by_a_replacement_that_does_not_say_so(scim: Scim) -> None:
    made = scim.user("grace@example.com", active=False)
    for more in ({}, {"active": None}):
        answer = scim.request("PUT", f"/Users/{made['id']}", {"userName": "grace@example.com", **more})
        assert answer.status_code == 200 and answer.json()["active"] is False
    assert scim.names()["grace"] == "disabled"


def test_a_key_of_a_request_is_nothing_to_scim(scim: Scim) -> None:
    headers = {"Idempotency-Key": "one"}
    said = [
        scim.client.post("/scim/v2/Users", json={"userName": name}, headers=headers).status_code
        for name in ("grace", "linus", "linus")
    ]
    assert said == [201, 201, 409] and {"grace", "linus"} <= scim.names().keys()


def test_a_person_may_be_pushed_who_is_not_active(scim: Scim) -> None:
    made = scim.user("grace@example.com", active=False)
    assert made["active"] is False and scim.names()["grace"] == "disabled"


def test_a_user_whom_an_administrator_disabled_stays_so_while_the_provider_says_nothing_new(
    scim: Scim,
) -> None:
    made = scim.user("grace@example.com")
    scim.api.owner.patch("/v1/users/grace", json={"disabled": True})
    answer = scim.request("PUT", f"/Users/{made['id']}", {"userName": "grace@example.com", "active": True})
    assert answer.status_code == 200 and scim.names()["grace"] == "disabled"
    scim.patch(made, OFF)
    scim.patch(made, ON)
    assert scim.names()["grace"] == "active"


def test_scim_neither_sees_nor_changes_an_account_of_the_platforms_own(scim: Scim) -> None:
    id = scim.api.owner_id
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = None if method in ("GET", "DELETE") else {"userName": "ada", "active": False}
        assert scim.request(method, f"/Users/{id}", body).status_code == 404
    assert scim.request("GET", "/Users").json()["totalResults"] == 0
    assert scim.user("ada")["id"] != str(id)
    assert scim.names()["ada"] == "active"


def test_an_owner_with_a_password_of_the_platforms_own_is_never_disabled(scim: Scim) -> None:
    made = scim.user("grace@example.com")
    _owner_with_password(scim.api, made)
    for answer in (
        scim.patch(made, OFF),
        scim.request("PUT", f"/Users/{made['id']}", {"userName": "grace@example.com", "active": False}),
        scim.request("DELETE", f"/Users/{made['id']}"),
    ):
        assert answer.status_code == 409 and "password of the platform's own" in answer.json()["detail"]
    assert scim.names()["grace"] == "active"
    assert scim.request("GET", f"/Users/{made['id']}").json()["active"] is True


def _owner_with_password(api: Api, made: dict[str, Any]) -> None:
    from tradewind_platform.services import local_accounts

    ask = {"user": "grace", "role": "organization_owner"}
    assert api.owner.post("/v1/role-bindings", json=ask).status_code == 201
    with api.platform.store.transaction(api.organization) as db:
        hash = api.platform.passwords.hash(PASSWORD)
        local_accounts.set_password(db, _id(made), hash, now=api.time.now)


def test_the_last_owner_is_not_disabled(scim: Scim) -> None:
    made = scim.user("grace@example.com")
    ask = {"user": "grace", "role": "organization_owner"}
    assert scim.api.owner.post("/v1/role-bindings", json=ask).status_code == 201
    assert scim.api.owner.patch("/v1/users/ada", json={"disabled": True}).status_code == 200
    assert scim.patch(made, OFF).status_code == 409


def test_a_deleted_person_is_a_disabled_user_and_gone_from_scim(scim: Scim) -> None:
    made = scim.user("grace@example.com", **GRACE)
    scim.group("engineers", made)
    assert scim.request("DELETE", f"/Users/{made['id']}").status_code == 204
    assert scim.names()["grace"] == "disabled"
    assert scim.request("GET", f"/Users/{made['id']}").status_code == 404
    assert scim.request("GET", "/Users").json()["totalResults"] == 0
    assert "members" not in scim.found("Groups", 'displayName eq "engineers"')[0]
    assert scim.user("grace@example.com")["id"] != made["id"], "nothing shows that it is the same person"


def test_each_change_is_one_event_of_the_audit_trail(scim: Scim) -> None:
    before = len(scim.api.events())
    made = scim.user("grace@example.com", **GRACE)
    scim.patch(made, OFF)
    scim.request("DELETE", f"/Users/{made['id']}")
    scim.request("DELETE", f"/Users/{made['id']}")
    scim.request("POST", "/Users", {"userName": ""})
    events = scim.api.events()[: len(scim.api.events()) - before]
    assert [(one["action"], one["target"], one["result"]) for one in events] == [
        ("user.create", "", "malformed"),
        ("user.delete", f"user:{made['id']}", "not_found"),
        ("user.delete", "user:grace", "done"),
        ("user.update", "user:grace", "done"),
        ("user.create", "user:grace", "done"),
    ]
    assert {(one["actor_kind"], one["actor"]) for one in events} == {("scim", "identity provider (SCIM)")}
    assert events[3]["changes"] == {"disabled": [False, True]}
    assert "grace@example.com" not in str(events[2:4])


# ---- lists


@pytest.mark.parametrize(
    "filter",
    [
        'userName eq "GRACE@example.com"',
        'externalId eq "subject-of-grace"',
        'emails.value eq "grace@example.com"',
        'emails[type eq "work" and value co "grace"]',
        'name.familyName sw "Hop" and active eq true',
        'urn:ietf:params:scim:schemas:core:2.0:User:userName eq "grace@example.com"',
        'not (userName eq "linus@example.com")',
    ],
    ids=["user name", "external id", "address", "entry", "and", "with its schema", "not"],
)
def test_a_person_is_found_by_a_filter(scim: Scim, filter: str) -> None:
    scim.user("linus@example.com")
    made = scim.user("grace@example.com", **GRACE)
    assert [one["id"] for one in scim.found("Users", filter)] == [made["id"]]


@pytest.mark.parametrize(
    "filter",
    [
        "userName eq",
        "nobody eq 3",
        "((",
        pytest.param("not (" * 2000 + 'userName eq "x"' + ")" * 2000, id="deep"),
        'externalId eq "another"',
        pytest.param('externalId eq "another\\u0000"', id="externalId with NUL"),
    ],
)
def test_a_filter_that_finds_nothing_or_cannot_be_read(scim: Scim, filter: str) -> None:
    scim.user("grace@example.com", **GRACE)
    answer = scim.request("POST", "/Users/.search", {"filter": filter})
    if filter.startswith("externalId"):
        assert (answer.status_code, answer.json()["totalResults"]) == (200, 0)
    else:
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter")


def test_a_search_may_be_sent_in_a_body(scim: Scim) -> None:
    made = scim.user("grace@example.com", **GRACE)
    group = scim.group("grace", made)
    ask = {"filter": 'userName eq "grace@example.com" or displayName eq "grace"', "count": 10}
    found = {
        path: [one["id"] for one in scim.request("POST", path, ask).json()["Resources"]]
        for path in ("/.search", "/Users/.search")
    }
    assert found == {"/.search": [made["id"], group["id"]], "/Users/.search": [made["id"]]}


def test_people_are_listed_a_page_at_a_time(scim: Scim) -> None:
    for number in range(5):
        scim.user(f"user-{number}")
    answer = scim.request("GET", "/Users", startIndex=2, count=2).json()
    assert (answer["totalResults"], answer["startIndex"], answer["itemsPerPage"]) == (5, 2, 2)
    assert [one["userName"] for one in answer["Resources"]] == ["user-1", "user-2"]
    assert scim.request("GET", "/Users", count=0).json()["totalResults"] == 5
    past = scim.request("GET", "/Users", startIndex=9).json()
    assert (past["totalResults"], past["itemsPerPage"]) == (5, 0)


def test_looking_for_a_user_name_reads_one_row_however_many_people_there_are(scim: Scim) -> None:
    for number in range(20):
        scim.user(f"user-{number}")

    def count() -> int:
        with scim.api.statements() as found:
            assert len(scim.found("Users", 'userName eq "user-3"')) == 1
        return len(found)

    few = count()
    for number in range(20, 40):
        scim.user(f"user-{number}")
    assert count() == few


def test_only_the_attributes_that_are_asked_for_are_sent(scim: Scim) -> None:
    made = scim.user("grace@example.com", **GRACE)
    assert scim.request("GET", f"/Users/{made['id']}", attributes="userName").json().keys() == {
        "schemas",
        "id",
        "userName",
    }
    assert "emails" not in scim.request("GET", "/Users", excludedAttributes="emails").json()["Resources"][0]


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        ({}, "invalidValue"),
        ({"userName": 7}, "invalidValue"),
        ({"userName": "x" * 251}, "invalidValue"),
        ({"userName": "grace", "active": "maybe"}, "invalidValue"),
        ({"userName": "grace", "emails": "grace@example.com"}, "invalidValue"),
        ({"userName": "grace", "displayName": "x" * 251}, "invalidValue"),
        ({"userName": "grace", "name": {"givenName": "x" * 251}}, "invalidValue"),
        ({"userName": "grace", "emails": [{"value": "x" * 251}]}, "invalidValue"),
        ({"userName": "grace", "emails": [{"value": f"{one}@x"} for one in range(101)]}, "invalidValue"),
        ([], "invalidSyntax"),
    ],
    ids=[
        "nothing",
        "a number",
        "too long",
        "no boolean",
        "no list",
        "a long display name",
        "a long name",
        "a long address",
        "many addresses",
        "no object",
    ],
)
def test_what_is_no_person_is_refused_in_scims_form(scim: Scim, body: Any, scim_type: str) -> None:
    answer = scim.request("POST", "/Users", body)
    assert (answer.status_code, answer.json().get("scimType")) == (400, scim_type), answer.text
    assert answer.json()["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"userName": "linus", "displayName": "a\\ud800b"}',
        b'{"userName": "a\\ud800b"}',
        b'{"userName": "\xff"}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b'{"userName": ',
    ],
    ids=["half a character", "half in the name", "no UTF-8", "deep", "no JSON"],
)
def test_what_no_answer_could_show_is_not_taken(scim: Scim, body: bytes) -> None:
    headers = {"Content-Type": "application/scim+json"}
    answer = scim.client.post("/scim/v2/Users", content=body, headers=headers)
    assert (answer.status_code, answer.json().get("scimType")) == (400, "invalidSyntax"), answer.text
    assert scim.request("GET", "/Users").status_code == 200
    assert scim.api.owner.get("/v1/users").status_code == 200
