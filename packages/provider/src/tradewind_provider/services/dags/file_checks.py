"""What of a file's result can be stored: its Dags are checked, and a Dag id belongs to one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol import boundary
from tradewind_protocol import dags as wire
from tradewind_protocol.errors import Code, Refusal, Refused
from tradewind_provider.airflow import dag_checks, dags
from tradewind_provider.store.dag_tables import DagBundle, DagFile


@dataclass(frozen=True)
class StorableFile:
    """What of a file's result can be stored."""

    dags: tuple[Any, ...]
    errors: dict[str, str]
    refused: tuple[tuple[str, Refusal], ...]


def checked(bundle: str, file: wire.FileResult, *, strict: bool) -> StorableFile:
    """A file without the Dags that cannot be stored, which are import errors of it. `strict`: without what its author wrote."""
    good: dict[str, Any] = {}
    errors = {
        path: boundary.without_source(text) if strict else text for path, text in file.import_errors.items()
    }
    refused: list[tuple[str, Refusal]] = []
    for data in file.dags:
        try:
            dag = dag_checks.checked(bundle, file.path, data)
            if strict:
                _must_be_reduced(dag.dag_id, file.path, data)
            if dag.dag_id in good:
                raise Refused(Code.MALFORMED, f"file {file.path} has two Dags {dag.dag_id!r}")
            good[dag.dag_id] = dag
        except Refused as problem:
            inside = data.get("dag")
            dag_id = str(inside.get("dag_id", "") if isinstance(inside, dict) else "")[:250]
            refused.append((dag_id, problem.refusal))
            _add(errors, file.path, str(problem))
    return StorableFile(tuple(good.values()), errors, tuple(refused))


def _must_be_reduced(dag_id: str, path: str, data: dict[str, Any]) -> None:
    """Raises Refused POLICY_REFUSED for a Dag of a strict session with fields that its agent should have kept."""
    if places := boundary.not_reduced(data):
        more = f" and {len(places) - 3} more" if len(places) > 3 else ""
        raise Refused(
            Code.POLICY_REFUSED,
            f"Dag {dag_id!r} of file {path} holds what its author wrote ({', '.join(places[:3])}{more}), which the strict "
            "data policy keeps at the site",
            remedy="upgrade the agent: its gateway replaces these fields by notices before they leave",
        )


def ownership(
    db: Session, bundle: str, path: str, found: StorableFile
) -> tuple[list[Any], list[str], dict[str, str]]:
    """Which Dags may be stored, which ids are another file's, and the import errors with those added."""
    owners = dags.owners(db, [dag.dag_id for dag in found.dags])
    free: list[Any] = []
    blocked: list[str] = []
    errors = dict(found.errors)
    for dag in found.dags:
        owner = owners.get(dag.dag_id)
        if owner is None or not _lives(db, owner) or _own(db, owner, bundle, path, dag.dag_id):
            free.append(dag)
            continue
        blocked.append(dag.dag_id)
        where = "this bundle" if owner.bundle == bundle else f"bundle {owner.bundle!r}"
        _add(
            errors,
            path,
            f"Dag id {dag.dag_id!r} belongs to {owner.path} of {where}. A Dag id may be used once",
        )
    return free, blocked, errors


def _lives(db: Session, owner: dags.BundleOwner) -> bool:
    """Whether a Dag keeps its id. A bundle of a site does although Airflow has it inactive: each start of a dag
    processor of the plane makes bundles inactive that are not in the plane's configuration, until their site is heard."""
    return not owner.stale and (owner.active or db.get(DagBundle, owner.bundle) is not None)


def _own(db: Session, owner: dags.BundleOwner, bundle: str, path: str, dag_id: str) -> bool:
    if owner.bundle != bundle:
        return False
    if owner.path == path or owner.path.startswith(f"{path}/"):
        return True
    # In this bundle, another file: its own only while that file still has it.
    holders = db.scalars(select(DagFile).where(DagFile.bundle == bundle, DagFile.path != path))
    return not any(dag_id in holder.dag_ids for holder in holders)


def _add(errors: dict[str, str], path: str, text: str) -> None:
    errors[path] = f"{errors[path]}\n\n{text}" if path in errors else text
