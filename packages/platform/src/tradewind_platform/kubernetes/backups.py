"""Backups of the Deployments of a cluster: files of a volume that the controller has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tradewind_platform.domain import preflight as rules
from tradewind_platform.domain.preflight import Check, Verdict
from tradewind_platform.drivers.backups import Backups
from tradewind_platform.drivers.deployment_databases import DeploymentDatabases
from tradewind_platform.drivers.dumps import Dumps
from tradewind_platform.reconciler.driver import Document, StepFailed

_NONE: Final = "the controller of this cluster has no volume for backups"
_REMEDY: Final = "Set `backups.existingClaim` or `backups.persistentVolumeClaim.enabled` of its chart."


class ClusterBackups:
    """Refuses every backup while the controller has no volume."""

    def __init__(self, directory: Path | None, databases: DeploymentDatabases) -> None:
        self._backups = None if directory is None else Backups(directory, Dumps(databases))

    def make(self, document: Document) -> Mapping[str, Any]:
        """Make the backup of the operation. Returns its facts. Raises StepFailed."""
        return self._required().make(document)

    def restore(self, document: Document) -> None:
        """The database is as it was when the backup was made. Raises StepFailed."""
        self._required().restore(document)

    def forget_old(self, document: Document) -> None:
        """Erase what the operation does not name as kept. Raises StepFailed."""
        self._required().forget_old(document)

    def forget(self, document: Document) -> None:
        """Erase every backup of the Deployment; nothing where there can be none."""
        if self._backups is not None:
            self._backups.forget(document)

    def check(self, document: Document) -> Check:
        """Whether a backup can be made, for the table of a preflight."""
        if self._backups is None:
            return Check("backup", Verdict.REFUSED, f"{_NONE[0].upper()}{_NONE[1:]}.", _REMEDY)
        try:
            return rules.disk(*self._backups.room(document))
        except (StepFailed, OSError) as error:
            return Check("disk", Verdict.REFUSED, f"Backups cannot be kept: {error}.", "Correct that.")

    def _required(self) -> Backups:
        if self._backups is None:
            raise StepFailed(f"{_NONE}. {_REMEDY}", final=True)
        return self._backups
