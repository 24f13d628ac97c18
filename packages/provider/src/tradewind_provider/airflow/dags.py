"""How Dags of agents get into Airflow's tables: through its own `update_dag_parsing_results_in_db`, and the deletions
its dag processor would make by itself."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from airflow.configuration import conf
from airflow.dag_processing.collection import update_dag_parsing_results_in_db
from airflow.models.asset import remove_references_to_deleted_dags
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagwarning import DagWarning
from airflow.models.errors import ParseImportError
from airflow.models.serialized_dag import SerializedDagModel
from airflow.serialization.definitions.dag import SerializedDAG
from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.orm import Session

from tradewind_protocol import dags as wire
from tradewind_provider.airflow import asset_owners, dag_source
from tradewind_provider.airflow.lazy_dag import LazyDag

log = logging.getLogger(__name__)

_TEXT_MOST = 200_000


@dataclass(frozen=True)
class BundleOwner:
    """Where Airflow has a Dag now."""

    bundle: str
    path: str
    stale: bool
    active: bool  # its bundle, as Airflow has it


@dataclass(frozen=True)
class FileFacts:
    """A file as it is to be stored."""

    bundle: str
    version: str | None
    version_data: dict[str, Any] | None
    path: str
    dags: tuple[LazyDag, ...]
    import_errors: Mapping[str, str]
    warnings: tuple[DagWarning, ...]
    seconds: float
    source: Mapping[str, str]  # by path
    notice: str
    cleared: Collection[str]  # names import errors of this file were filed under before


def warning(dag_id: str, type_: str, message: str) -> DagWarning:
    """Airflow's warning about a Dag. Raises ValueError for a type Airflow does not know."""
    return DagWarning(dag_id, type_, _text(message))


def owners(db: Session, dag_ids: Collection[str]) -> dict[str, BundleOwner]:
    """Where Airflow has these Dags."""
    rows = db.execute(
        select(
            DagModel.dag_id,
            DagModel.bundle_name,
            DagModel.relative_fileloc,
            DagModel.is_stale,
            DagBundleModel.active,
        )
        .join(DagBundleModel, DagBundleModel.name == DagModel.bundle_name, isouter=True)
        .where(DagModel.dag_id.in_(dag_ids))
    )
    return {
        row.dag_id: BundleOwner(
            row.bundle_name or "", row.relative_fileloc or "", bool(row.is_stale), bool(row.active)
        )
        for row in rows
    }


def store(db: Session, facts: FileFacts, *, now: datetime) -> list[str]:
    """Store a file's Dags, import errors and warnings. Dags Airflow has of this file beyond them go stale.

    Returns the names import errors are filed under. Raises what Airflow raises when the data cannot be stored.
    """
    bundle, path = facts.bundle, facts.path
    errors = {(bundle, name): _text(text) for name, text in facts.import_errors.items()}
    source = {wire.neutral_fileloc(bundle, name): text for name, text in facts.source.items()}
    dag_ids = [dag.dag_id for dag in facts.dags]
    with asset_owners.kept(db, bundle, facts.dags), dag_source.given(source, otherwise=facts.notice):
        _write_recent_again(db, facts, now=now)
        update_dag_parsing_results_in_db(
            bundle_name=bundle,
            bundle_version=facts.version,
            version_data=facts.version_data,
            dags=facts.dags,
            import_errors=errors,
            parse_duration=facts.seconds,
            warnings=set(facts.warnings),
            session=db,
            files_parsed={(bundle, name) for name in (path, *facts.cleared)} | set(errors),
        )
    gone = _stale(db, bundle, DagModel.dag_id.not_in(dag_ids), _of_file(path))
    if gone:
        remove_references_to_deleted_dags(session=db)
    if gone or errors:
        _purge_warnings(db)
    return [name for _, name in errors]


def _write_recent_again(db: Session, facts: FileFacts, *, now: datetime) -> None:
    """Write Dags that were written a moment ago. Airflow skips those (`min_serialized_dag_update_interval`), counting
    on the next parse to bring them again; we send a change once, so it may not be skipped."""
    interval = conf.getint("core", "min_serialized_dag_update_interval", fallback=30)
    recent = set(
        db.scalars(
            select(SerializedDagModel.dag_id).where(
                SerializedDagModel.dag_id.in_([dag.dag_id for dag in facts.dags]),
                SerializedDagModel.last_updated > now - timedelta(seconds=interval + 5),
            )
        )
    )
    for dag in facts.dags:
        if dag.dag_id in recent:
            SerializedDagModel.write_dag(
                dag,
                bundle_name=facts.bundle,
                bundle_version=facts.version,
                version_data=facts.version_data,
                min_update_interval=None,
                session=db,
            )
    db.flush()


def move_to_version(
    db: Session,
    dag_ids: Collection[str],
    *,
    bundle: str,
    version: str | None,
    version_data: dict[str, Any] | None,
) -> None:
    """The content of these Dags is the same in another version of their bundle: new runs use that version."""
    db.execute(
        update(DagModel)
        .where(DagModel.dag_id.in_(dag_ids), DagModel.bundle_name == bundle)
        .values(bundle_version=version)
        .execution_options(synchronize_session=False)
    )
    for dag_id in dag_ids:
        latest = db.scalar(
            select(DagVersion)
            .where(DagVersion.dag_id == dag_id, DagVersion.bundle_name == bundle)
            .order_by(DagVersion.version_number.desc())
            .limit(1)
        )
        if latest is not None:
            latest.bundle_version = version
            latest.version_data = version_data
    db.flush()


def remove(db: Session, *, bundle: str, path: str, error_paths: Collection[str]) -> None:
    """The file is gone: its Dags go stale, its import errors are cleared. Idempotent."""
    if _stale(db, bundle, _of_file(path)):
        remove_references_to_deleted_dags(session=db)
    db.execute(
        delete(ParseImportError).where(
            ParseImportError.bundle_name == bundle,
            or_(
                ParseImportError.filename.in_([path, *error_paths]),
                ParseImportError.filename.startswith(f"{path}/", autoescape=True),
            ),
        )
    )
    _purge_warnings(db)


def retire(db: Session, bundle: str) -> None:
    """No site has this bundle any more: inactive, its Dags stale, its import errors cleared. Idempotent."""
    db.execute(update(DagBundleModel).where(DagBundleModel.name == bundle).values(active=False))
    db.execute(delete(ParseImportError).where(ParseImportError.bundle_name == bundle))
    if _stale(db, bundle):
        remove_references_to_deleted_dags(session=db)
    _purge_warnings(db)


def live(db: Session, bundle: str) -> dict[str, str]:
    """The Dags of a bundle that are not stale, and the file each is in."""
    rows = db.execute(
        select(DagModel.dag_id, DagModel.relative_fileloc).where(
            DagModel.bundle_name == bundle, DagModel.is_stale.is_(False)
        )
    )
    return {row.dag_id: row.relative_fileloc or "" for row in rows}


def live_count(db: Session, bundle: str, *, among: Collection[str] | None = None) -> int:
    """How many Dags of a bundle are not stale; of these alone, when some are named."""
    statement = (
        select(func.count())
        .select_from(DagModel)
        .where(DagModel.bundle_name == bundle, DagModel.is_stale.is_(False))
    )
    if among is not None:
        statement = statement.where(DagModel.dag_id.in_(among))
    return db.scalar(statement) or 0


def error_files(db: Session, bundle: str) -> set[str]:
    """File names with an import error."""
    return set(db.scalars(select(ParseImportError.filename).where(ParseImportError.bundle_name == bundle)))


def refresh(db: Session, dag_ids: Iterable[str]) -> None:
    """Work out again what depends on a Dag's state and not on its file: when its next run is due, and the triggers of
    assets it waits for. Airflow's dag processor does that with every parse; ours is not sent what did not change."""
    rows = db.execute(
        select(DagModel, SerializedDagModel)
        .join(DagVersion, DagVersion.dag_id == DagModel.dag_id)
        .join(SerializedDagModel, SerializedDagModel.dag_version_id == DagVersion.id)
        .where(DagModel.dag_id.in_(list(dag_ids)), DagModel.is_stale.is_(False))
        .order_by(DagVersion.version_number)
    ).all()
    latest = {dag.dag_id: (dag, stored) for dag, stored in rows}
    for dag, stored in latest.values():
        written = [LazyDag(data=_without_deadlines(stored.data))]
        with asset_owners.kept(db, dag.bundle_name, written):
            SerializedDAG.bulk_write_to_db(
                dag.bundle_name, dag.bundle_version, written, dag.last_parse_duration, session=db
            )


def _without_deadlines(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored Dag as Airflow writes Dags from. Stored, its deadlines are ids of rows, which Airflow takes for
    definitions and fails at; without any it leaves those of the Dag as the parse set them."""
    return {**stored, "dag": {**stored["dag"], "deadline": None}}


def _of_file(path: str) -> ColumnElement[bool]:
    inside: ColumnElement[bool] = DagModel.relative_fileloc.startswith(f"{path}/", autoescape=True)
    return or_(DagModel.relative_fileloc == path, inside)


def _stale(db: Session, bundle: str, *conditions: ColumnElement[bool]) -> bool:
    """Make Dags of the bundle stale. True when there were any."""
    changed: Any = db.execute(
        update(DagModel)
        .where(DagModel.bundle_name == bundle, DagModel.is_stale.is_(False), *conditions)
        .values(is_stale=True)
        .execution_options(synchronize_session="fetch")
    )
    return bool(changed.rowcount)


def _purge_warnings(db: Session) -> None:
    stale = select(DagModel.dag_id).where(DagModel.is_stale.is_(True))
    db.execute(
        delete(DagWarning).where(DagWarning.dag_id.in_(stale)).execution_options(synchronize_session=False)
    )


def _text(text: str) -> str:
    kept = text.replace("\0", "")
    return kept if len(kept) <= _TEXT_MOST else kept[:_TEXT_MOST] + "\n… (cut)"
