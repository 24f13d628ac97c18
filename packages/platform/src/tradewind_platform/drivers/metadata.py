"""What a driver reads and writes in the metadata database of a Deployment on PostgreSQL, as its role."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from tradewind_platform.drivers.deployment_databases import DeploymentDatabases
from tradewind_platform.reconciler.driver import Document

_EPOCHS: int = 1_000_000
"""More than an attempt ever has of its own."""


def runs_since(databases: DeploymentDatabases, document: Document, moment: datetime) -> int:
    """How many runs began since then. Raises StepFailed."""
    statement = text("SELECT count(*) FROM dag_run WHERE run_after >= :moment")
    with databases.opened(document.slug, document.secrets["database_password"]) as connection:
        return int(connection.scalar(statement, {"moment": moment}) or 0)


def fence(databases: DeploymentDatabases, document: Document) -> None:
    """No attempt that was granted since the backup may speak for what the database gives out now: it has an epoch that the
    database, as it was, would give once more. Raises StepFailed."""
    with databases.opened(document.slug, document.secrets["database_password"]) as connection:
        if connection.scalar(text("SELECT to_regclass('tradewind_attempt')")) is not None:
            connection.execute(
                text("UPDATE tradewind_attempt SET epoch = epoch + :more WHERE ended_at IS NULL"),
                {"more": _EPOCHS},
            )
