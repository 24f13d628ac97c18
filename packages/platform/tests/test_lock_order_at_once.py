"""Changes at the same moment lock rows in one order, on PostgreSQL: it has many writers, and SQLite has one at a time."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.orm import Session

from support import postgresql
from support.platform_parts import NOW, Reconciled
from tradewind_platform.domain.roles import Role
from tradewind_platform.services import workspace_quotas
from tradewind_platform.services.references import found_by
from tradewind_platform.store.lock_order import locked
from tradewind_platform.store.tables import Cluster, Deployment, RoleBinding, User, Workspace

pytestmark = pytest.mark.postgresql


@pytest.fixture
def database_url(server: postgresql.PostgreSQL) -> str:
    return server.new_database()


@pytest.fixture
def in_the_background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


def wait_for_one_that_waits(engine: Engine) -> None:
    """Until a transaction of the database waits for a lock of another one."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    ends = clock.monotonic() + 30
    while True:
        with engine.connect() as db:
            if db.scalar(waiting):
                return
        assert clock.monotonic() < ends, "no transaction waits"


CHANGES: dict[str, Callable[[Reconciled], Any]] = {
    "the workspaces of the cluster": lambda one: one.owner.patch(
        "/v1/clusters/north", json={"workspaces": ["lab", "default"]}
    ),
    "the default cluster": lambda one: one.owner.patch(
        "/v1/workspaces/default", json={"default_cluster": "local"}
    ),
    "its deletion": lambda one: one.owner.delete("/v1/clusters/north"),
    "a creation": lambda one: one.owner.post("/v1/deployments", json={"name": "ops", "cluster": "local"}),
}


@pytest.mark.parametrize("name", list(CHANGES), ids=list(CHANGES))
def test_what_waits_for_a_workspace_has_not_locked_a_cluster(
    reconciled: Reconciled, in_the_background: ThreadPoolExecutor, name: str
) -> None:
    """Else a creation, which has the workspace, waits for the cluster: for ever, if PostgreSQL let it."""
    ask = {"name": "north", "agents_host": "n.example.com", "people_domain": "n.example.com"}
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    for answer in (
        reconciled.owner.post("/v1/clusters", json={**ask, "driver": "kubernetes"}),
        reconciled.owner.patch("/v1/workspaces/default", json={"default_cluster": "north"}),
    ):
        assert answer.status_code < 300, answer.text
    store = reconciled.platform.store
    with store.transaction(reconciled.organization) as db:
        found_by(db, Workspace, "default", Workspace.name)
        change = in_the_background.submit(CHANGES[name], reconciled)
        wait_for_one_that_waits(store.engine)
        db.connection().exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
        assert len(db.scalars(locked(select(Cluster).order_by(Cluster.id))).all()) == 2
    assert change.result(timeout=30).status_code < 300, change.result().text


def test_a_row_that_names_a_locked_one_is_written(reconciled: Reconciled) -> None:
    """Else a person who signs in and accepts an invite waits for whoever changes the workspace, and the other way round."""
    user = reconciled.user("linus")
    store = reconciled.platform.store
    with store.transaction(reconciled.organization) as db:
        workspace = found_by(db, Workspace, "default", Workspace.name)
        assert workspace is not None and found_by(db, User, "linus", User.name) is not None
        with store.transaction(reconciled.organization) as other:
            other.connection().exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
            made = {"created_at": NOW, "created_by": "ada", "workspace_id": workspace.id}
            other.add(RoleBinding(user_id=user, role=Role.WORKSPACE_VIEWER.value, **made))
    bound = reconciled.owner.get("/v1/role-bindings", params={"user": "linus"}).json()["items"]
    assert [one["workspace_name"] for one in bound] == ["default"]


def test_a_deployment_that_is_moved_while_it_is_restored_is_not_restored(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its new workspace would be locked after it: a creation there, which has the workspace, may wait for the Deployment."""
    reconciled.owner.post("/v1/workspaces", json={"name": "lab"})
    reconciled.created()
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    store, lock = reconciled.platform.store, workspace_quotas.lock_workspace_of

    def then_it_is_moved(db: Session, reference: str) -> Any:
        found = lock(db, reference)
        with store.across_organizations() as other:
            lab = other.scalars(select(Workspace).where(Workspace.name == "lab")).one()
            other.scalars(select(Deployment)).one().workspace_id = lab.id
        return found

    monkeypatch.setattr(workspace_quotas, "lock_workspace_of", then_it_is_moved)
    refused = reconciled.owner.post("/v1/deployments/sales/restore")
    assert refused.status_code == 409 and "was moved" in refused.json()["message"]
    assert reconciled.deployment()["phase"] == "deleted"
