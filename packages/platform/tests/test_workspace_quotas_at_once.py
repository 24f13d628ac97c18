"""Deployments that are asked for at the same moment, on PostgreSQL: it has many writers, and SQLite has one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from support import postgresql
from support.platform_parts import Reconciled
from tradewind_platform.services import workspace_quotas
from tradewind_platform.store.tables import Workspace

pytestmark = pytest.mark.postgresql


@pytest.fixture
def database_url(server: postgresql.PostgreSQL) -> str:
    return server.new_database()


def set_quota(reconciled: Reconciled, at_most: int) -> UUID:
    """The id of the workspace."""
    answer = reconciled.owner.patch("/v1/workspaces/default", json={"deployments_at_most": at_most})
    assert answer.status_code == 200, answer.text
    return UUID(answer.json()["id"])


@contextmanager
def while_another_counts(reconciled: Reconciled, workspace: UUID) -> Iterator[Session]:
    """The session of a second transaction, while a first one has counted the Deployments: it has to wait for the lock."""
    store, organization = reconciled.platform.store, reconciled.organization
    with store.transaction(organization) as first:
        workspace_quotas.require_room(first, workspace)
        with pytest.raises(OperationalError, match="lock timeout"):
            with store.transaction(organization) as second:
                second.connection().exec_driver_sql("SET LOCAL lock_timeout = '50ms'")
                yield second


def test_a_second_deployment_is_counted_only_when_the_first_one_is_there(reconciled: Reconciled) -> None:
    """Else each of the two finds room for one, and there are two."""
    workspace = set_quota(reconciled, 1)
    with while_another_counts(reconciled, workspace) as second:
        workspace_quotas.require_room(second, workspace)


def test_a_quota_is_changed_before_or_after_a_deployment_is_counted(reconciled: Reconciled) -> None:
    workspace = set_quota(reconciled, 1)
    with while_another_counts(reconciled, workspace) as second:
        second.scalars(select(Workspace).where(Workspace.id == workspace).with_for_update()).one()


@pytest.mark.parametrize("change", ["creation", "restoration"])
def test_the_workspace_is_locked_before_a_deployment(reconciled: Reconciled, change: str) -> None:
    """Else one change that has the Deployment and one that has the workspace wait for each other."""
    set_quota(reconciled, 2)
    reconciled.created("sales")
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    with reconciled.statements() as sent:
        if change == "creation":
            answer = reconciled.owner.post("/v1/deployments", json={"name": "ops"})
        else:
            answer = reconciled.owner.post("/v1/deployments/sales/restore")
    assert answer.status_code in (201, 202), answer.text
    locking = [one for one in sent if "FOR NO KEY UPDATE" in one]
    tables = ["deployment" if "deployment.slug" in one else "workspace" for one in locking]
    assert tables.index("workspace") < tables.index("deployment"), locking


def test_of_creations_and_a_restoration_at_once_only_one_gets_the_last_place(reconciled: Reconciled) -> None:
    set_quota(reconciled, 2)
    for name in ("kept", "deleted"):
        reconciled.created(name)
    assert reconciled.owner.delete("/v1/deployments/deleted").status_code == 202
    reconciled.reconciler.carry_out_all()

    def ask(at: int) -> int:
        if at == 0:
            return int(reconciled.owner.post("/v1/deployments/deleted/restore").status_code)
        return int(reconciled.owner.post("/v1/deployments", json={"name": f"new-{at}"}).status_code)

    with ThreadPoolExecutor(4) as several:
        answers = list(several.map(ask, range(4)))
    assert sorted(one in (201, 202) for one in answers) == [False, False, False, True], answers
    assert {one for one in answers if one not in (201, 202)} == {409}
    assert reconciled.owner.get("/v1/workspaces/default").json()["deployments"] == 2
