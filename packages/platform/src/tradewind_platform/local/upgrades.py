"""The steps of an upgrade, and of going back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from tradewind_platform.drivers import losses
from tradewind_platform.drivers.airflow_api import AirflowApi
from tradewind_platform.drivers.backups import Backups
from tradewind_platform.local.observing import Observing
from tradewind_platform.local.planes import Planes
from tradewind_platform.local.started import Started
from tradewind_platform.reconciler.driver import Document, StepFailed

_FENCE: Final = """
from airflow import settings
from sqlalchemy import inspect, text
settings.initialize()
session = settings.Session()
tables = set(inspect(settings.engine).get_table_names())
if "tradewind_attempt" in tables:
    session.execute(text("UPDATE tradewind_attempt SET epoch = epoch + 1000000 WHERE ended_at IS NULL"))
    session.commit()
print("{}")
"""
"""What an agent was granted after the backup has an epoch that the database, as it was, would give once more."""


class Upgrades:
    """Of a Deployment whose route is closed."""

    def __init__(
        self,
        planes: Planes,
        airflow: AirflowApi,
        started: Started,
        backups: Backups,
        observing: Observing,
        patience: float,
    ) -> None:
        self._planes = planes
        self._airflow = airflow
        self._started = started
        self._backups = backups
        self._observing = observing
        self._patience = patience

    def start_api_server(self, document: Document) -> None:
        self._started.start(document, only="api-server")

    def probe_inside(self, document: Document) -> None:
        """The API server serves from inside, where no agent comes in. Raises StepFailed."""
        until = time.monotonic() + self._patience
        while (health := self._observing.airflow_health(document)) is None or health.get(
            "metadatabase", {}
        ).get("status") != "healthy":
            broken = self._started.is_broken(document)
            if broken or time.monotonic() > until:
                log = self._planes.home(document) / "logs" / "api-server-1.log"
                why = "ends again and again" if broken else "does not serve"
                raise StepFailed(f"the API server of the new version {why}; read {log}", final=True)
            self._started.keep(document, only="api-server")
            time.sleep(0.5)

    def restore_before(self, document: Document) -> None:
        """The database as it was before the upgrade. Nothing was written since: the route is closed."""
        self._started.stop(document)
        self._backups.restore(document)

    def count_what_is_forgotten(self, document: Document) -> Mapping[str, Any]:
        """How many runs began since the backup. Raises StepFailed unless that was accepted."""
        since = str(document.arguments[losses.MADE_AT])
        found = self._airflow.rest(document, "/dags/~/dagRuns", params={"run_after_gte": since, "limit": 1})
        return losses.accepted(document, int(found["total_entries"]))

    def fence(self, document: Document) -> None:
        """No attempt that was granted since the backup may speak for what the database gives out now."""
        self._planes.run(document, _FENCE)
