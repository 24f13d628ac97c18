"""Keeps and observes all Deployments of a cluster whose controller connects, of what was read once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_platform.domain.clusters import ControllerState, controller_state
from tradewind_platform.domain.health import Condition
from tradewind_platform.reconciler.driver import Document
from tradewind_platform.reconciler.remote import RemoteDriver
from tradewind_platform.services import cluster_work
from tradewind_platform.store.cluster_tables import ClusterDocument


@dataclass(frozen=True)
class Reported:
    """What the controller has of a Deployment, and what it reported."""

    digest: str
    keep: bool
    observed_digest: str
    conditions: Mapping[str, Any]


@dataclass(frozen=True)
class RemoteObserver:
    """Good for as long as what was read is. What has not changed takes no query."""

    driver: RemoteDriver
    state: ControllerState
    reported: Mapping[UUID, Reported]
    digest_of: Callable[[Document], str]

    @classmethod
    def read(cls, db: Session, driver: RemoteDriver, digest_of: Callable[[Document], str]) -> RemoteObserver:
        """In two queries."""
        table = ClusterDocument
        wanted = select(
            table.deployment_id, table.digest, table.keep, table.observed_digest, table.conditions
        ).where(table.cluster_id == driver.cluster)
        reported = {id: Reported(*rest) for id, *rest in db.execute(wanted)}
        beat = cluster_work.controller(db, driver.cluster).beat_at
        return cls(driver, controller_state(beat, driver.clock()), reported, digest_of)

    def keep(self, document: Document) -> None:
        """Let the controller start again what does not run, as long as no operation works on the Deployment."""
        row = self.reported.get(document.id)
        if row is None or not row.keep or row.digest != self.digest_of(document):
            self.driver.keep(document)

    def observe(self, document: Document) -> Sequence[Condition]:
        """What the controller reported last; unknown while it is lost, and until it has reported this document."""
        row, digest = self.reported.get(document.id), self.digest_of(document)
        if row is None or row.digest != digest:
            return self.driver.observe(document)  # which hands it over
        return self.driver.conditions(
            document, self.state, row.conditions if row.observed_digest == digest else None
        )
