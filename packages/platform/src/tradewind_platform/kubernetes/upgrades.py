"""The steps of an upgrade, and of going back, in a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tradewind_platform.drivers import losses, metadata
from tradewind_platform.drivers.before import as_before
from tradewind_platform.drivers.deployment_databases import DeploymentDatabases
from tradewind_platform.kubernetes import jobs
from tradewind_platform.kubernetes.api import KubernetesApi
from tradewind_platform.kubernetes.backups import ClusterBackups
from tradewind_platform.kubernetes.observing import Observing
from tradewind_platform.kubernetes.patience import Patience
from tradewind_platform.kubernetes.releases import Releases
from tradewind_platform.reconciler.driver import Document


class Upgrades:
    """Of a Deployment whose route is closed."""

    def __init__(
        self,
        api: KubernetesApi,
        databases: DeploymentDatabases,
        releases: Releases,
        backups: ClusterBackups,
        observing: Observing,
        patience: Patience,
    ) -> None:
        self._api = api
        self._databases = databases
        self._releases = releases
        self._backups = backups
        self._observing = observing
        self._patience = patience

    def stop(self, document: Document) -> None:
        """No pod runs, and the release has the image that it had. Raises StepWaits."""
        self._releases.stop(as_before(document))

    def probe_inside(self, document: Document) -> None:
        """The API server serves by its Service, where no agent comes in. Raises StepWaits, and StepFailed after a while."""
        namespace = self._releases.of(document).namespace
        health = self._observing.airflow_health(document, namespace)
        if health is None or health.get("metadatabase", {}).get("status") != "healthy":
            trouble = self._observing.trouble(document, namespace)
            why = f"the API server does not serve: kubectl --namespace {namespace} describe pods. {trouble}"
            self._patience.wait(document, "probe inside", why.strip())
        self._patience.end(document, "probe inside")

    def restore(self, document: Document) -> None:
        """The database as the backup has it. Raises StepWaits while something of the Deployment runs."""
        # A migration that still runs would go on in the database that is restored, and one that has completed is not
        # true of it.
        jobs.forget(self._api, self._releases.of(document))
        self._releases.stop(as_before(document))
        self._backups.restore(document)

    def count_what_is_forgotten(self, document: Document) -> Mapping[str, Any]:
        """How many runs began since the backup, asked of the database: also of a Deployment whose Airflow does not answer.
        Raises StepFailed unless that was accepted."""
        since = datetime.fromisoformat(str(document.arguments[losses.MADE_AT]))
        return losses.accepted(document, metadata.runs_since(self._databases, document, since))

    def fence(self, document: Document) -> None:
        """No attempt that was granted since the backup may speak for what the database gives out now."""
        metadata.fence(self._databases, document)
