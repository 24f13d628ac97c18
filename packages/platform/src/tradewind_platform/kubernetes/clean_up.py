"""Cleans up the databases of Deployments of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tradewind_platform.drivers import clean_up
from tradewind_platform.kubernetes.helm import Release
from tradewind_platform.kubernetes.jobs import Jobs
from tradewind_platform.kubernetes.settings import KubernetesSettings
from tradewind_platform.kubernetes.values import values
from tradewind_platform.reconciler.driver import Document

_LINES: Final = 200
"""The last lines of the pod's log that are read. A runtime writes a long line as several."""


class CleanUp:
    """A Job with the image and the environment of the Deployment's pods, beside them."""

    def __init__(self, settings: KubernetesSettings, jobs: Jobs) -> None:
        self._settings = settings
        self._jobs = jobs

    def clean(self, document: Document, release: Release) -> Mapping[str, Any]:
        """What was deleted, and what was left alone. A Job that has completed is read and deleted: done again after that,
        the step finds no old row. Raises StepWaits while the Job runs, StepFailed."""
        before = str(document.arguments[clean_up.BEFORE])
        asked = values(document, self._settings)
        program = ["python", "-W", "ignore", "-c", clean_up.SCRIPT, before]
        asked["migration"] = {**asked["migration"], "enabled": True, "args": program}
        name = self._jobs.run(release, asked, what="the clean-up Job")
        printed = self._jobs.printed(name, release, lines=_LINES)
        self._jobs.delete(name, release)
        return clean_up.facts(printed, document)
