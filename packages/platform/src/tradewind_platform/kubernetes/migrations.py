"""Migrates the database of a Deployment by a Job."""

from __future__ import annotations

from tradewind_platform.kubernetes.helm import Release
from tradewind_platform.kubernetes.jobs import Jobs
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.kubernetes.values import values
from tradewind_platform.reconciler.driver import Document


def migrate(jobs: Jobs, settings: KubernetesSettings, document: Document, release: Release) -> None:
    """The database is of the version of the image. Raises StepWaits while the Job runs, StepFailed with its last lines.

    A Job that has completed says that this was done: whatever replaces the database deletes its Jobs first."""
    jobs.run(release, values(document, settings), what="the migration Job")
