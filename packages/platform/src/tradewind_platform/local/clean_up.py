"""Cleans up the databases of Deployments of this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tradewind_platform.drivers import clean_up
from tradewind_platform.local.planes import Planes
from tradewind_platform.reconciler.driver import Document


class CleanUp:
    """Runs beside the Deployment, with its user and environment."""

    def __init__(self, planes: Planes) -> None:
        self._planes = planes

    def clean(self, document: Document) -> Mapping[str, Any]:
        """What was deleted, and what was left alone. Idempotent. Raises StepFailed."""
        before = str(document.arguments[clean_up.BEFORE])
        printed = self._planes.run(document, clean_up.SCRIPT, before, whole=True, patience=clean_up.LONGEST)
        return clean_up.facts(printed, document)
