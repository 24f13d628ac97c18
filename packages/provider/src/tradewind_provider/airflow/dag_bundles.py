"""A claimed bundle in Airflow's eyes: its row of `dag_bundle`, and a dag processor's row of `job`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from airflow.configuration import conf
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.jobs.job import Job, JobState
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from itsdangerous import URLSafeSerializer
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

JOB_TYPE = "DagProcessorJob"
_PLACEHOLDERS = re.compile(r"\{(\w*[^}\w][^}]*)?\}")  # anything but a plain name between braces


def activate(db: Session, name: str, *, template: str | None, params: Mapping[str, str]) -> DagBundleModel:
    """Airflow's row of the bundle, made if need be: active, with the link the UI shows beside a version.

    A link an agent sent is kept only when it is plain http(s) with plain placeholders.
    """
    row = db.get(DagBundleModel, name)
    if row is None:
        row = DagBundleModel(name=name)
        db.add(row)
    if not row.active:
        row.active = True
    signed = _signed(name, template) if template and _is_plain(template) else None
    if row.signed_url_template != signed:
        row.signed_url_template = signed
    kept = {key: value[:500] for key, value in params.items()} if signed else {}
    if (row.template_params or {}) != kept:
        row.template_params = kept
    return row


@lru_cache(maxsize=1)
def configured() -> frozenset[str]:
    """The bundles this plane's own configuration names."""
    return frozenset(DagBundlesManager().get_all_bundle_names())


def of_dag(db: Session, dag_id: str) -> str | None:
    """The bundle a Dag is in; None: there is no such Dag."""
    return db.scalar(select(DagModel.bundle_name).where(DagModel.dag_id == dag_id))


def is_planes(db: Session, name: str) -> bool:
    """True when the plane itself has the bundle: in its configuration, or active. Ask for one that no site has."""
    return name in configured() or is_active(db, name)


def is_active(db: Session, name: str) -> bool:
    """True when Airflow has the bundle, active."""
    return bool(db.scalar(select(DagBundleModel.active).where(DagBundleModel.name == name)))


def reactivate(db: Session, name: str) -> None:
    """Undo a deactivation by a process that does not have the bundle in its configuration."""
    db.execute(update(DagBundleModel).where(DagBundleModel.name == name).values(active=True))


def state(db: Session, name: str) -> tuple[str | None, datetime | None]:
    """Version and time of the last refresh."""
    row = db.execute(
        select(DagBundleModel.version, DagBundleModel.last_refreshed).where(DagBundleModel.name == name)
    ).one_or_none()
    return (row.version, row.last_refreshed) if row is not None else (None, None)


def refreshed(db: Session, name: str, *, version: str | None, at: datetime) -> None:
    """Keep what a refresh found. `version=None` leaves the version as it is."""
    values: dict[str, object] = {"last_refreshed": at}
    if version is not None:
        values["version"] = version
    db.execute(update(DagBundleModel).where(DagBundleModel.name == name).values(**values))


def _is_plain(template: str) -> bool:
    parts = urlsplit(template)
    return (
        parts.scheme in ("http", "https")
        and bool(parts.netloc)
        and "{" not in parts.netloc
        and "@" not in parts.netloc
        and not _PLACEHOLDERS.search(template)
        and all(32 <= ord(one) < 127 for one in template)
    )


def _signed(name: str, template: str) -> str:
    # as DagBundlesManager.sync_bundles_to_db does it; DagBundleModel.render_url reads it
    serializer = URLSafeSerializer(conf.get_mandatory_value("core", "fernet_key"))
    return str(serializer.dumps({"url": template, "bundle_name": name}))


# ---- the health page


def beat(db: Session, session_id: UUID, *, agent_name: str, now: datetime) -> None:
    """The session's dag processor is alive: its job row is there, running, with this heartbeat."""
    marker = f"tradewind:{session_id}"
    found: Any = db.execute(
        update(Job)
        .where(Job.job_type == JOB_TYPE, Job.unixname == marker, Job.end_date.is_(None))
        .values(latest_heartbeat=now)
        .execution_options(synchronize_session=False)
    )
    if found.rowcount:
        return
    # not through Job(): its constructor asks for this machine's host name and tells listeners of a component here
    db.execute(
        insert(Job).values(
            job_type=JOB_TYPE,
            state=JobState.RUNNING,
            hostname=agent_name,
            unixname=marker,
            start_date=now,
            latest_heartbeat=now,
        )
    )


def end(db: Session, session_id: UUID, *, now: datetime) -> None:
    """The session's dag processor is gone. Idempotent."""
    db.execute(
        update(Job)
        .where(Job.job_type == JOB_TYPE, Job.unixname == f"tradewind:{session_id}", Job.end_date.is_(None))
        .values(end_date=now, state=JobState.SUCCESS)
        .execution_options(synchronize_session=False)
    )
