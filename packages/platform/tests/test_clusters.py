"""Clusters: added, changed, allowed to workspaces, deleted; and the tokens of their controllers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from support.platform_parts import Reconciled, Time
from tradewind_platform.domain.ids import new_id
from tradewind_platform.domain.roles import Role
from tradewind_platform.services import clusters
from tradewind_platform.store.base import Base
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Cluster
from tradewind_protocol.controllers import PREFIX
from tradewind_protocol.errors import Refused

ASK = {"name": "north", "agents_host": "{id}.external.example.com", "people_domain": "{id}.apps.example.com"}
POLL = {"instance": "00000000-0000-0000-0000-000000000001", "driver": "kubernetes", "wait_seconds": 0}


def added(reconciled: Reconciled, **more: Any) -> dict[str, Any]:
    answer = reconciled.owner.post("/v1/clusters", json={**ASK, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def told(reconciled: Reconciled, token: str) -> tuple[int, str]:
    answer = reconciled.caller(token).post(f"{PREFIX}/poll", json=POLL)
    return answer.status_code, answer.json().get("error", "")


def test_a_cluster_has_an_id_names_in_dns_and_a_check(reconciled: Reconciled) -> None:
    made = added(reconciled)
    assert made["agents_url"] == f"https://{made['slug']}.external.example.com"
    assert made["people_url"] == f"https://{{slug}}.{made['slug']}.apps.example.com"
    assert [one["name"] for one in made["dns_records"]] == [
        f"{made['slug']}.external.example.com",
        f"*.{made['slug']}.apps.example.com",
    ]
    assert made["check"] == f"curl {made['agents_url']}/"
    assert made["controller"]["state"] == "never"


def test_the_deployments_of_a_machine_are_of_one_home(store: Store, organization: UUID, time: Time) -> None:
    """Another platform on the same database would start each of them, too."""
    first, second = clusters.Home(new_id(), "/one on a"), clusters.Home(new_id(), "/two on b")

    def start(home: clusters.Home, **replaces: bool) -> None:
        with store.transaction(organization) as db:
            clusters.ensure(
                db,
                "local",
                driver="local",
                slug="c2345abc",
                agents_url="http://127.0.0.1:8710",
                people_url="http://{slug}.localhost:8711",
                now=time.now,
                home=home,
                **replaces,
            )

    start(first)
    with pytest.raises(Refused, match="are in /one on a, and those of this one are in /two on b") as refused:
        start(second)
    assert "--no-local-cluster" in refused.value.refusal.remedy
    start(clusters.Home(first.id, "/moved on c"))
    with store.reading(organization) as db:
        assert db.scalar(select(Cluster.home)) == "/moved on c"
    start(second, replaces_home=True)  # the first machine is lost
    start(second)
    with pytest.raises(Refused, match="are in /two on b"):
        start(first)


def test_a_platform_without_a_machine_leads_while_no_machine_has_deployments(reconciled: Reconciled) -> None:
    """It could not start them, and would hold up the one that can."""
    bare = replace(reconciled.new_reconciler(), drivers={}, leadership=(lock := Lock()))
    assert bare._leads() and lock.held
    reconciled.create()
    assert not bare._leads() and not lock.held
    reconciled.reconciler.carry_out_all()
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    reconciled.owner.post("/v1/deployments/sales/purge", json={"name": "sales"})
    reconciled.reconciler.carry_out_all()
    assert bare._leads()


@dataclass
class Lock:
    """A leadership that whoever asks gets."""

    held: bool = False

    def holds(self) -> bool:
        self.held = True
        return True

    def resign(self) -> None:
        self.held = False


def test_the_token_is_shown_once_and_kept_as_a_hash(reconciled: Reconciled, store: Store) -> None:
    token = added(reconciled)["token"]
    assert token.startswith("tw_cluster_")
    shown = reconciled.owner.get("/v1/clusters/north").json()
    assert shown["token_prefix"] == token[:15] and token not in str(shown)
    with store.engine.connect() as db:
        for table in Base.metadata.tables.values():
            assert not [row for row in db.execute(select(table)) if token in str(row)], table.name


def test_a_cluster_token_opens_the_work_of_its_cluster_and_nothing_else(reconciled: Reconciled) -> None:
    token = added(reconciled)["token"]
    assert told(reconciled, token) == (200, "")
    assert reconciled.caller(token).get("/v1/me").status_code == 401
    api_token = str(reconciled.owner.headers["Authorization"]).removeprefix("Bearer ")
    assert told(reconciled, api_token) == (401, "token_malformed")
    assert told(reconciled, "tw_cluster_" + "a" * 43) == (401, "token_unknown")


def test_a_rotated_token_is_good_for_the_overlap_and_a_revoked_one_for_nothing(
    reconciled: Reconciled, time: Time
) -> None:
    old = added(reconciled)["token"]
    rotated = reconciled.owner.post("/v1/clusters/north/token/rotate", json={"overlap_minutes": 10})
    new = rotated.json()["token"]
    assert told(reconciled, old) == told(reconciled, new) == (200, "")
    time.pass_(minutes=11)
    assert told(reconciled, old) == (403, "token_expired") and told(reconciled, new) == (200, "")
    assert reconciled.owner.delete("/v1/clusters/north/token").status_code == 204
    assert told(reconciled, new) == (401, "token_unknown")


def test_a_cluster_with_deployments_is_not_deleted(reconciled: Reconciled) -> None:
    token = added(reconciled)["token"]
    assert told(reconciled, token) == (200, "")
    reconciled.create("sales", cluster="north")
    refused = reconciled.owner.delete("/v1/clusters/north")
    assert refused.status_code == 409 and "sales" in refused.json()["message"]


def test_an_empty_cluster_is_deleted_with_its_token(reconciled: Reconciled) -> None:
    token = added(reconciled)["token"]
    assert reconciled.owner.delete("/v1/clusters/north").status_code == 204
    assert told(reconciled, token) == (401, "token_unknown")
    assert [one["name"] for one in reconciled.owner.get("/v1/clusters").json()["items"]] == ["local"]


def test_the_platforms_own_machine_is_not_deleted_and_has_no_token(reconciled: Reconciled) -> None:
    assert reconciled.owner.delete("/v1/clusters/local").status_code == 409
    assert reconciled.owner.post("/v1/clusters/local/token/rotate", json={}).status_code == 409


def test_only_workspaces_that_may_use_a_cluster_get_deployments_in_it(reconciled: Reconciled) -> None:
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    token = added(reconciled, workspaces=["lab"])["token"]
    assert told(reconciled, token) == (200, "")
    ask = {"name": "sales", "cluster": "north"}
    refused = reconciled.owner.post("/v1/deployments", json=ask)
    assert refused.status_code == 409 and "may not use" in refused.json()["message"]
    assert reconciled.owner.post("/v1/deployments", json={**ask, "workspace": "lab"}).status_code == 201
    assert reconciled.owner.patch("/v1/clusters/north", json={"workspaces": []}).json()["workspaces"] == []
    assert reconciled.owner.post("/v1/deployments", json=ask | {"name": "other"}).status_code == 201


def test_a_deployment_waits_for_no_controller_that_never_connected(reconciled: Reconciled) -> None:
    added(reconciled)
    refused = reconciled.owner.post("/v1/deployments", json={"name": "sales", "cluster": "north"})
    assert refused.status_code == 409 and "has not connected yet" in refused.json()["message"]


def test_a_change_for_another_revision_is_refused(reconciled: Reconciled) -> None:
    made = added(reconciled)
    good = {"If-Match": f'"{made["revision"]}"'}
    assert (
        reconciled.owner.patch("/v1/clusters/north", json={"name": "south"}, headers=good).status_code == 200
    )
    assert (
        reconciled.owner.patch("/v1/clusters/south", json={"name": "west"}, headers=good).status_code == 412
    )


def test_a_repeated_idempotency_key_adds_one_cluster_and_gives_the_same_token(reconciled: Reconciled) -> None:
    key = {"Idempotency-Key": "k1"}
    first, second = (reconciled.owner.post("/v1/clusters", json=ASK, headers=key).json() for _ in range(2))
    assert first["token"] == second["token"]
    assert len(reconciled.owner.get("/v1/clusters").json()["items"]) == 2


@pytest.mark.parametrize(
    "role", [Role.ORGANIZATION_AUDITOR, Role.ORGANIZATION_MEMBER], ids=lambda one: one.value
)
def test_only_owners_of_the_organization_change_clusters(reconciled: Reconciled, role: Role) -> None:
    added(reconciled)
    caller = reconciled.with_role(role)
    assert caller.post("/v1/clusters", json={**ASK, "name": "south"}).status_code == 403
    assert caller.patch("/v1/clusters/north", json={"name": "south"}).status_code == 403
    assert caller.delete("/v1/clusters/north").status_code == 403
    assert caller.post("/v1/clusters/north/token/rotate", json={}).status_code == 403
    assert caller.delete("/v1/clusters/north/token").status_code == 403


def test_each_change_of_a_cluster_is_one_event_of_the_audit_trail(reconciled: Reconciled) -> None:
    token = added(reconciled)["token"]
    reconciled.owner.patch("/v1/clusters/north", json={"name": "south"})
    reconciled.owner.post("/v1/clusters/south/token/rotate", json={})
    reconciled.owner.delete("/v1/clusters/south/token")
    reconciled.owner.delete("/v1/clusters/south")
    events = [one for one in reconciled.events() if one["action"].startswith("cluster")]
    assert [one["action"] for one in reversed(events)] == [
        "cluster.create",
        "cluster.update",
        "clusterToken.rotate",
        "clusterToken.revoke",
        "cluster.delete",
    ]
    assert token not in str(events)
