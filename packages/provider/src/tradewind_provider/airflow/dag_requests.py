"""What Airflow leaves for a dag processor in its tables, and how we hear of it: files to parse, callbacks to run, Dags
that were paused or unpaused."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from airflow.models.dag import DagModel
from airflow.models.dagbag import DagPriorityParsingRequest
from airflow.models.db_callback_request import DbCallbackRequest
from sqlalchemy import delete, event, inspect, select
from sqlalchemy.orm import ORMExecuteState, Session

from tradewind_provider.airflow import dags
from tradewind_provider.store.dag_tables import DagBundle

log = logging.getLogger(__name__)

_TOGGLED = "tradewind_dags_toggled"
_LOOKED_FOR: tuple[type[Any], ...] = (DagPriorityParsingRequest, DbCallbackRequest)


@dataclass(frozen=True)
class ParseRequest:
    """A file that is to be parsed now."""

    id: str
    bundle: str
    path: str


@dataclass(frozen=True)
class PendingCallback:
    """A callback that waits for a dag processor."""

    id: UUID
    bundle: str
    request: dict[str, Any]
    label: str


def parse_requests(db: Session, bundles: Collection[str]) -> list[ParseRequest]:
    """Files of these bundles that are to be parsed now."""
    found = db.scalars(
        select(DagPriorityParsingRequest).where(DagPriorityParsingRequest.bundle_name.in_(bundles)).limit(500)
    )
    return [ParseRequest(one.id, one.bundle_name, one.relative_fileloc) for one in found]


def forget_parse_requests(db: Session, ids: Collection[str], bundles: Collection[str]) -> None:
    """These were taken over. Idempotent."""
    db.execute(
        delete(DagPriorityParsingRequest).where(
            DagPriorityParsingRequest.id.in_(ids), DagPriorityParsingRequest.bundle_name.in_(bundles)
        )
    )


def callbacks(db: Session, bundles: Collection[str], *, limit: int) -> list[PendingCallback]:
    """Callbacks of these bundles that wait, the most urgent first."""
    rows = db.scalars(
        select(DbCallbackRequest)
        .where(DbCallbackRequest.bundle_name.in_(bundles))
        .order_by(DbCallbackRequest.priority_weight.desc(), DbCallbackRequest.created_at)
        .limit(limit)
    )
    return [_callback(row) for row in rows]


def take_callback(db: Session, callback_id: UUID, bundles: Collection[str]) -> PendingCallback | None:
    """Take one off Airflow's table, in this transaction; None when another process has taken it."""
    row = db.scalar(
        select(DbCallbackRequest)
        .where(DbCallbackRequest.id == callback_id, DbCallbackRequest.bundle_name.in_(bundles))
        .with_for_update(skip_locked=True, of=DbCallbackRequest)
    )
    if row is None:
        return None
    taken = _callback(row)
    db.delete(row)
    db.flush()
    return taken


def _callback(row: Any) -> PendingCallback:
    request: dict[str, Any] = json.loads(row.data["req_data"])
    request.setdefault("type", row.data["req_class"])
    ti = request.get("ti") or {}
    label = f"{request['type']} of {ti.get('dag_id') or request.get('dag_id')} [{ti.get('run_id') or request.get('run_id')}]"
    return PendingCallback(row.id, row.bundle_name, request, label)


# ---- hearing of it


def install(publish: Callable[[Session], None]) -> None:
    """Call `publish` in the transaction of any process of the plane that adds a parse request or a callback, and write
    Dags anew that are paused or unpaused. Idempotent: the first `publish` stays.

    Called in API servers and schedulers; what a process without it writes is found by the next look, seconds later.
    """
    if event.contains(Session, "before_commit", _before_commit):
        return

    def after_flush(session: Session, _: Any) -> None:
        if any(isinstance(one, _LOOKED_FOR) for one in session.new):
            publish(session)

    for name, listener in (
        ("after_flush", after_flush),
        ("after_flush", _note_paused),
        ("do_orm_execute", _do_orm_execute),
        ("before_commit", _before_commit),
        ("after_rollback", _after_rollback),
    ):
        event.listen(Session, name, listener)


def _note_paused(session: Session, _: Any) -> None:
    for one in session.dirty:
        if isinstance(one, DagModel) and inspect(one).attrs.is_paused.history.has_changes():
            session.info.setdefault(_TOGGLED, set()).add(one.dag_id)


def _do_orm_execute(state: ORMExecuteState) -> None:
    """A pause or unpause of many Dags is one UPDATE, which no object of the session sees."""
    if not state.is_update or state.bind_mapper is None or state.bind_mapper.class_ is not DagModel:
        return
    statement: Any = state.statement
    if "is_paused=" in str(statement).partition("WHERE")[0].replace(" ", ""):
        chosen = select(DagModel.dag_id)
        if statement.whereclause is not None:
            chosen = chosen.where(statement.whereclause)
        state.session.info.setdefault(_TOGGLED, set()).update(state.session.scalars(chosen))


def _before_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return
    if any(isinstance(one, DagModel) for one in session.dirty):
        session.flush()
    toggled: set[str] = session.info.pop(_TOGGLED, set())
    if not toggled:
        return
    try:
        with session.begin_nested():
            ours = select(DagBundle.name)
            dags.refresh(
                session,
                session.scalars(
                    select(DagModel.dag_id).where(
                        DagModel.dag_id.in_(toggled), DagModel.bundle_name.in_(ours)
                    )
                ).all(),
            )
            session.flush()
    except Exception:
        log.exception(
            "Dags that were paused or unpaused are not refreshed", extra={"action": "dags_refresh_failed"}
        )
    session.info.pop(_TOGGLED, None)


def _after_rollback(session: Session) -> None:
    session.info.pop(_TOGGLED, None)
