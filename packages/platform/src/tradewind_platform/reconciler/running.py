"""The Deployments that run, with their documents: read for all of them at once, and made anew only where something changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, cast, func, select
from sqlalchemy.orm import Session

from tradewind_platform.domain.configuration import Layer
from tradewind_platform.domain.operations import Phase
from tradewind_platform.reconciler import wire
from tradewind_platform.reconciler.documents import document_of
from tradewind_platform.reconciler.driver import Document
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.store.cluster_tables import ClusterController
from tradewind_platform.store.life_tables import ConfigurationEntry, EnvironmentVariable
from tradewind_platform.store.looks import Look
from tradewind_platform.store.sessions import Store
from tradewind_platform.store.tables import Cluster, Deployment, DeploymentSecret

_OBSERVED: Final = tuple(one.value for one in (Phase.RUNNING, Phase.FAILED, Phase.UPDATING, Phase.RESTORING))

_AND: Final = "\x1f"
"""Between columns of a mark: in no name of anything."""


@dataclass(frozen=True)
class Running:
    """A Deployment that was wholly made once."""

    organization: UUID
    phase: Phase
    cluster: Cluster
    has_controller: bool
    document: Document


@dataclass
class _Kept:
    """A document, and what it was made of."""

    marks: Hashable
    document: Document

    @cached_property
    def digest(self) -> str:
        return wire.digest_of(wire.to_json(self.document))


@dataclass
class RunningDeployments:
    """Reads them. A document is kept in memory for as long as nothing that it is made of has changed: what is read for an
    unchanged Deployment is a row of numbers, and no secret is decrypted again. Used by one thread."""

    store: Store
    ring: KeyRing
    _kept: dict[UUID, _Kept] = field(default_factory=dict, repr=False)
    _found: Sequence[Running] = field(default=(), repr=False)
    _mark: Hashable = None  # of what `_found` was made of

    def __post_init__(self) -> None:
        self._look = Look(self.store.engine, _mark())

    def read(self) -> Sequence[Running]:
        """In one query where nothing has changed, and else in a number that depends on what has changed, and not on how many there
        are."""
        (mark,) = self._look.rows()
        # Read first: what changes in between has another mark the next time.
        if mark != self._mark:
            self._found, self._mark = self._read(), mark
        return self._found

    def _read(self) -> Sequence[Running]:
        with self.store.reading_all() as db:
            clusters = {one.id: one for one in db.scalars(select(Cluster))}
            controlled = set(db.scalars(select(ClusterController.cluster_id)))
            secrets = _secrets(db)
            layers = _layers(db)
            kept: dict[UUID, _Kept] = {}
            found = []
            for row in db.execute(_deployments()):
                cluster = clusters[row.cluster_id]
                marks = (
                    tuple(row),
                    (cluster.agents_url, cluster.people_url),
                    secrets.get(row.id, 0),
                    layers.get((Layer.CLUSTER.value, row.cluster_id)),
                    layers.get((Layer.WORKSPACE.value, row.workspace_id)),
                    layers.get((Layer.DEPLOYMENT.value, row.id)),
                )
                known = self._kept.get(row.id)
                if known is None or known.marks != marks:
                    known = _Kept(marks, document_of(db, self.ring, db.get_one(Deployment, row.id), cluster))
                kept[row.id] = known
                found.append(
                    Running(
                        row.organization_id,
                        Phase(row.phase),
                        cluster,
                        row.cluster_id in controlled,
                        known.document,
                    )
                )
        self._kept = kept
        return found

    def digest_of(self, document: Document) -> str:
        """The digest of a document that was read, as a controller is given it. Made once for each."""
        return self._kept[document.id].digest


@cache
def _mark() -> Select[Any]:
    """One row, which differs whenever one of the marks below does: the database compares hundreds of Deployments faster than we
    read them."""
    secrets = select(func.count(DeploymentSecret.id), func.max(cast(DeploymentSecret.id, String)))
    clusters = select(*Cluster.__table__.columns)
    layers = (select(*_marks_of(table)) for table in (ConfigurationEntry, EnvironmentVariable))
    return select(
        *map(_text, (_deployments(), clusters, select(ClusterController.cluster_id), secrets, *layers))
    )


def _text(rows: Select[Any]) -> Any:
    """All of them, as one text."""
    first, *others = (func.coalesce(cast(column, String), "") for column in rows.subquery().columns)
    row: ColumnElement[str] = first
    for one in others:
        row = row.concat(_AND).concat(one)
    return select(func.aggregate_strings(row, _AND)).scalar_subquery()


def _deployments() -> Any:
    """The columns that a document, or what is done with it, depends on. A specification is never changed: its revision says it."""
    table = Deployment
    return (
        select(
            table.id,
            table.organization_id,
            table.cluster_id,
            table.workspace_id,
            table.slug,
            table.number,
            table.name,
            table.phase,
            table.observed_revision,
        )
        .where(table.phase.in_(_OBSERVED), table.observed_revision > 0)
        .order_by(table.number)
    )


def _secrets(db: Session) -> dict[UUID, int]:
    """How many each Deployment has: they are added and forgotten, and never changed."""
    table = DeploymentSecret
    counted = select(table.deployment_id, func.count()).group_by(table.deployment_id)
    return {row[0]: row[1] for row in db.execute(counted)}


def _layers(db: Session) -> dict[tuple[str, UUID], Hashable]:
    """A mark of each layer of options and variables that has some."""
    found: dict[tuple[str, UUID], list[Hashable]] = defaultdict(list)
    for table in (ConfigurationEntry, EnvironmentVariable):
        marks = select(table.scope, table.scope_id, *_marks_of(table)).group_by(table.scope, table.scope_id)
        for scope, id, *mark in db.execute(marks):
            found[scope, id].append((table.__tablename__, *mark))
    return {key: tuple(marks) for key, marks in found.items()}


def _marks_of(table: type[ConfigurationEntry | EnvironmentVariable]) -> Sequence[Any]:
    """They change with each change: it counts up a revision, and a new row has the greatest id."""
    return func.count(table.id), func.sum(table.revision), func.max(cast(table.id, String))
