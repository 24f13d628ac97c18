"""Groups that an identity provider pushes, and the teams that they stand for by the settings of the sign-in."""

from __future__ import annotations

from typing import Any

import pytest

from support.identity_provider import Person
from support.scim import GROUP, Scim
from support.sign_in_with_provider import Sso

MAPPING = [{"group": "Data Engineers", "teams": ["engineering", "on-call"]}]


@pytest.fixture
def scim(sso: Sso) -> Scim:
    for name in ("engineering", "on-call"):
        sso.api.owner.post("/v1/teams", json={"name": name})
    return Scim(sso.api)


def test_members_of_a_group_are_in_the_teams_of_the_mapping(sso: Sso, scim: Scim) -> None:
    sso.set_up(group_teams=MAPPING)
    grace = scim.user("grace@example.com")
    group = scim.group("Data Engineers", grace)
    assert scim.members("engineering") == scim.members("on-call") == [("grace", "scim")]
    ref = grace["meta"]["location"]
    assert group["members"] == [{"value": grace["id"], "$ref": ref}]
    shown = scim.request("GET", f"/Users/{grace['id']}").json()
    assert shown["groups"] == [{"value": group["id"], "display": "Data Engineers"}]
    scim.patch(group, {"op": "remove", "path": f'members[value eq "{grace["id"]}"]'})
    assert scim.members("engineering") == []


def test_a_group_that_is_not_mapped_gets_a_team_where_the_settings_say_so(sso: Sso, scim: Scim) -> None:
    sso.set_up(create_teams=True)
    scim.group("Analysts (EU)", scim.user("grace@example.com"))
    team = sso.api.owner.get("/v1/teams/analysts-eu").json()
    assert team["idp_managed"] and [one["name"] for one in team["members"]] == ["grace"]


def test_groups_that_the_filter_leaves_out_stand_for_nothing(sso: Sso, scim: Scim) -> None:
    sso.set_up(group_teams=MAPPING, groups_filter="^airflow-")
    scim.group("Data Engineers", scim.user("grace@example.com"))
    assert scim.members("engineering") == []


def test_a_new_name_of_a_group_is_another_team(sso: Sso, scim: Scim) -> None:
    sso.set_up(group_teams=MAPPING)
    group = scim.group("People", scim.user("grace@example.com"))
    scim.patch(group, {"op": "replace", "path": "displayName", "value": "Data Engineers"})
    assert scim.members("engineering") == [("grace", "scim")]
    scim.request("DELETE", f"/Groups/{group['id']}")
    assert scim.members("engineering") == []


def test_another_mapping_moves_everybody_once_it_is_in_use(sso: Sso, scim: Scim) -> None:
    sso.set_up()
    scim.group("Data Engineers", scim.user("grace@example.com"))
    assert scim.members("engineering") == []
    sso.set_up(group_teams=MAPPING)
    assert scim.members("engineering") == [("grace", "scim")]


def test_a_person_who_is_deleted_leaves_the_teams(sso: Sso, scim: Scim) -> None:
    sso.set_up(group_teams=MAPPING)
    grace = scim.user("grace@example.com")
    scim.group("Data Engineers", grace)
    scim.request("DELETE", f"/Users/{grace['id']}")
    assert scim.members("engineering") == []


def test_members_that_people_added_stay(sso: Sso, scim: Scim) -> None:
    sso.set_up(group_teams=MAPPING)
    grace = scim.user("grace@example.com")
    sso.api.owner.post("/v1/teams/engineering/members", json={"user": "grace"})
    group = scim.group("Data Engineers", grace)
    scim.request("DELETE", f"/Groups/{group['id']}")
    assert scim.members("engineering") == [("grace", "manual")]
    assert scim.members("on-call") == []


def test_a_group_has_only_people_whom_scim_has_sent(scim: Scim) -> None:
    group = scim.group("Data Engineers")
    for value in ("nobody", str(scim.api.owner_id), group["id"]):
        answer = scim.patch(group, {"op": "add", "path": "members", "value": [{"value": value}]})
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue")


def test_a_group_is_found_without_its_members(scim: Scim) -> None:
    scim.group("Data Engineers", scim.user("grace@example.com"), externalId="g-1")
    scim.group("Others")
    query = {"filter": 'displayName eq "data engineers"', "excludedAttributes": "members"}
    found = scim.request("GET", "/Groups", **query).json()
    assert found["totalResults"] == 1 and "members" not in found["Resources"][0]
    assert len(scim.found("Groups", 'externalId eq "g-1"')) == 1
    assert len(scim.found("Groups", "members.value pr")) == 1


def test_changes_of_a_group_are_in_the_audit_trail_by_the_names_of_people(scim: Scim) -> None:
    grace = scim.user("grace@example.com")
    group = scim.group("Data Engineers", grace)
    scim.request("PUT", f"/Groups/{group['id']}", {"displayName": "Data Engineers"})
    update, create = scim.api.events()[:2]
    assert (create["action"], create["target"]) == ("group.create", "group:Data Engineers")
    assert create["changes"] == {"display_name": [None, "Data Engineers"], "members_added": ["grace"]}
    assert (update["action"], update["changes"]) == ("group.update", {"members_removed": ["grace"]})


def test_members_are_moved_in_the_order_of_the_operations(scim: Scim) -> None:
    grace, linus = scim.user("grace"), scim.user("linus")
    group = scim.group("Data Engineers", grace)
    named = [{"value": grace["id"]}]
    answer = scim.patch(
        group,
        {"op": "remove", "path": "members", "value": named},
        {"op": "add", "path": "members", "value": [*named, {"value": linus["id"]}]},
        {"op": "remove", "path": f'members[value eq "{grace["id"]}"]'},
        {"op": "remove", "path": 'members[value eq "nobody"]'},
    )
    assert [one["value"] for one in answer.json()["members"]] == [linus["id"]]
    assert scim.api.events()[0]["changes"] == {"members_added": ["linus"], "members_removed": ["grace"]}
    emptied = scim.patch(group, {"op": "remove", "path": "members"})
    assert emptied.status_code == 200 and "members" not in emptied.json()


def test_a_change_of_a_member_costs_the_same_queries_in_a_large_group(scim: Scim) -> None:
    def count(size: int) -> int:
        people = [scim.user(f"user-{size}-{number}") for number in range(size)]
        group = scim.group(f"group-{size}", *people[1:])
        with scim.api.statements() as found:
            add = {"op": "add", "path": "members", "value": [{"value": people[0]["id"]}]}
            assert scim.patch(group, add).status_code == 200
        return len(found)

    assert count(3) == count(30)


# ---- and sign-in


def test_a_person_who_was_pushed_signs_in_as_that_user_by_the_external_id(sso: Sso, scim: Scim) -> None:
    sso.set_up(group_teams=MAPPING)
    grace = scim.user("g.hopper", externalId="subject-of-grace")
    scim.group("Data Engineers", grace)
    assert _me(sso)["name"] == "g-hopper"
    assert scim.members("engineering") == [("g-hopper", "scim")], (
        "the sign-in named no group, and takes none away"
    )


def test_a_person_who_was_pushed_signs_in_as_that_user_by_a_verified_address(sso: Sso, scim: Scim) -> None:
    sso.set_up()
    sso.provider.person = Person(
        "s-1", "whoever", more={"email": "Grace@example.com", "email_verified": True}
    )
    scim.user("g.hopper", emails=[{"value": "grace@example.com", "primary": True}])
    assert _me(sso)["name"] == "g-hopper"


@pytest.mark.parametrize(
    "more",
    [{"email": "grace@example.com"}, {"email": "grace@example.com", "email_verified": "true"}],
    ids=["not verified", "verified by text"],
)
def test_an_address_that_is_not_verified_matches_nobody(sso: Sso, scim: Scim, more: dict[str, Any]) -> None:
    sso.set_up()
    sso.provider.person = Person("s-1", "whoever", more=more)
    scim.user("grace@example.com")
    assert _me(sso)["name"] == "whoever"


@pytest.mark.parametrize("alike", ["\u212aim@example.com", "ki\u017f@example.com"], ids=["Kelvin", "long s"])
def test_an_address_whose_letters_only_fold_to_another_one_is_no_other_persons(
    sso: Sso, scim: Scim, alike: str
) -> None:
    sso.set_up()
    sso.provider.person = Person("s-1", "mallory", more={"email": alike, "email_verified": True})
    scim.user("pushed", emails=[{"value": alike.casefold(), "primary": True}])
    invited = {"email": alike.casefold(), "role": "organization_owner"}
    assert scim.api.owner.post("/v1/invites", json=invited).status_code == 201
    assert _me(sso)["name"] == "mallory"
    assert scim.api.owner.get("/v1/access/mallory").json()["permissions"] == []
    made = scim.user("sent-later", emails=[{"value": alike.casefold(), "primary": True}])
    assert made["id"] != scim.api.owner.get("/v1/users/mallory").json()["id"]


def test_a_user_who_is_linked_to_a_subject_is_no_other_persons(sso: Sso, scim: Scim) -> None:
    sso.set_up()
    scim.user("grace@example.com", externalId="subject-of-grace")
    assert _me(sso)["name"] == "grace"
    sso.provider.person = Person(
        "another", "mallory", more={"email": "grace@example.com", "email_verified": True}
    )
    assert _me(sso)["name"] == "mallory"


def test_who_has_signed_in_before_is_the_same_user_once_scim_sends_them(sso: Sso, scim: Scim) -> None:
    sso.set_up()
    before = _me(sso)
    made = scim.user("g.hopper", externalId="subject-of-grace")
    assert scim.api.owner.get("/v1/users/grace").json()["id"] == made["id"]
    assert before["name"] == "grace" and "g-hopper" not in scim.names()


def test_who_was_deleted_and_is_sent_again_with_the_same_subject_is_the_same_user(
    sso: Sso, scim: Scim
) -> None:
    sso.set_up()
    made = scim.user("grace", externalId="subject-of-grace")
    _me(sso)
    scim.request("DELETE", f"/Users/{made['id']}")
    assert scim.user("grace", externalId="subject-of-grace")["id"] == made["id"]
    assert scim.names()["grace"] == "active"


def test_an_account_of_the_platforms_own_is_not_matched_by_its_name_or_address(sso: Sso, scim: Scim) -> None:
    sso.set_up()
    made = scim.user("ada", emails=[{"value": "ada@example.com", "primary": True}])
    assert made["id"] != str(sso.api.owner_id)


def test_a_person_who_is_no_longer_active_is_signed_out_and_does_not_come_in(sso: Sso, scim: Scim) -> None:
    sso.set_up()
    made = scim.user("grace", externalId="subject-of-grace")
    browser = sso.signed_in()
    scim.patch(made, {"op": "replace", "value": {"active": False}})
    assert browser.get("/v1/me").status_code == 401
    answer = sso.through(sso.api.browser())
    assert "refused=user_disabled" in answer.headers["location"]


def test_a_group_that_may_sign_in_may_be_one_that_scim_has_sent(sso: Sso, scim: Scim) -> None:
    sso.provider.person = Person("subject-of-grace", "grace", groups=["staff"])
    sso.set_up(allowed_groups=["staff", "airflow"])
    sso.provider.person = Person("subject-of-grace", "grace", groups=[])
    made = scim.user("grace", externalId="subject-of-grace")
    assert "refused=not_in_allowed_group" in sso.through(sso.api.browser()).headers["location"]
    scim.group("airflow", made)
    assert _me(sso)["name"] == "grace"


def _me(sso: Sso) -> dict[str, Any]:
    found: dict[str, Any] = sso.signed_in().get("/v1/me").json()
    return found


def test_two_groups_never_become_one_team_in_silence(sso: Sso, scim: Scim) -> None:
    sso.set_up(create_teams=True)
    grace, linus = scim.user("grace@example.com"), scim.user("linus@example.com")
    first = scim.group("Data Team", grace)
    body = {"schemas": [GROUP], "displayName": "data.team", "members": [{"value": linus["id"]}]}
    refused = scim.request("POST", "/Groups", body)
    assert (refused.status_code, refused.json()["scimType"]) == (409, "uniqueness")
    assert "'Data Team' and 'data.team' would both be the team 'data-team'" in refused.json()["detail"]
    assert scim.members("data-team") == [("grace", "scim")]
    assert (
        scim.request("PUT", f"/Groups/{first['id']}", {**body, "displayName": "DATA team"}).status_code == 200
    )
    other = scim.group("Other", linus)
    renamed = scim.patch(other, {"op": "replace", "path": "displayName", "value": "data team"})
    assert (renamed.status_code, renamed.json()["scimType"]) == (409, "uniqueness")
    assert scim.members("other") == [("linus", "scim")]


def test_settings_that_would_make_one_team_of_two_groups_are_not_used(sso: Sso, scim: Scim) -> None:
    sso.set_up()
    scim.group("Data Team", scim.user("grace@example.com"))
    scim.group("data.team", scim.user("linus@example.com"))
    with pytest.raises(AssertionError, match="would both be the team 'data-team'"):
        sso.set_up(create_teams=True)
    sso.set_up(create_teams=True, group_teams=[{"group": "Data Team", "teams": ["engineering"]}])
    assert scim.members("engineering") == [("grace", "scim")]
    assert scim.members("data-team") == [("linus", "scim")]
