"""Changes lock rows in one order. Every test of the platform is watched for it (`conftest.py`); these are about the watch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from support.lock_watch import watching
from support.platform_parts import NOW, Reconciled
from tradewind_platform.services import deployments
from tradewind_platform.services.references import found_by
from tradewind_platform.store.base import Base
from tradewind_platform.store.lock_order import ORDER, locked
from tradewind_platform.store.tables import Cluster, Deployment, Workspace


@pytest.fixture(autouse=True)
def locks_are_in_order() -> Iterator[None]:
    """Not in these tests, which lock in other orders."""
    yield


def test_the_order_names_tables_that_there_are() -> None:
    assert set(ORDER) <= Base.metadata.tables.keys() and len(ORDER) == len(set(ORDER))


def _workspace(db: Session) -> Any:
    return found_by(db, Workspace, "default", Workspace.name)


def _cluster(db: Session) -> Any:
    return found_by(db, Cluster, "local", Cluster.name)


def _write_workspace(db: Session) -> None:
    db.scalars(select(Workspace)).one().description = "EU"
    db.flush()


def _make_workspace(db: Session) -> None:
    made = Workspace(name="new", created_at=NOW, created_by="ada", updated_at=NOW, updated_by="ada")
    db.add(made)
    db.flush()
    made.description = "EU"
    db.flush()


def _join(db: Session) -> None:
    db.scalar(locked(select(Deployment.id).join(Workspace, Workspace.id == Deployment.workspace_id)))


@pytest.mark.parametrize(
    ("locks", "found"),
    [
        ([_workspace, _cluster], []),
        ([_cluster, _workspace], ["workspace after cluster"]),
        ([_workspace, _cluster, _workspace], []),
        ([_cluster, _write_workspace], ["workspace after cluster"]),
        ([_cluster, _make_workspace], []),
        ([_cluster, _join], ["workspace after cluster"]),
    ],
    ids=["in order", "another order", "once more", "written afterwards", "made afterwards", "of two tables"],
)
def test_the_watch_sees_what_is_locked_too_late(
    reconciled: Reconciled, locks: list[Callable[[Session], Any]], found: list[str]
) -> None:
    with watching() as seen, reconciled.platform.store.transaction(reconciled.organization) as db:
        for one in locks:
            one(db)
    assert seen == found


def test_a_session_that_reads_locks_nothing(reconciled: Reconciled) -> None:
    with watching() as seen, reconciled.platform.store.reading(reconciled.organization) as db:
        _cluster(db)
        _workspace(db)
    assert seen == []


# ---- where it is not kept


class Ended(Exception):
    """What the driver of PostgreSQL raises."""

    def __init__(self, pgcode: str) -> None:
        super().__init__("deadlock detected")
        self.pgcode = pgcode


@pytest.mark.parametrize(("code", "status"), [("40P01", 409), ("57014", 503)], ids=["deadlock", "cancelled"])
def test_a_change_that_the_database_has_ended_for_another_one_may_be_repeated(
    reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch, code: str, status: int
) -> None:
    def ended(*_: Any) -> Any:
        raise OperationalError("UPDATE", {}, Ended(code))

    reconciled.created()
    monkeypatch.setattr(deployments, "delete", ended)
    answer = reconciled.owner.delete("/v1/deployments/sales")
    assert answer.status_code == status, answer.text
    if status == 409:
        assert "Repeat it" in answer.json()["remedy"]
        assert reconciled.events(action="deployment.delete")[0]["result"] == "conflict"
