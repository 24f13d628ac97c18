"""Which Dag an asset belongs to: the one that has used it the longest. What other sites' Dags say of it is not stored.

Airflow has one row for an asset, and each Dag that names it writes the row anew: its group, its extra, its watchers. So a Dag of
one site would take the watchers of another site's asset away, or give it some.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from airflow.dag_processing.collection import AssetModelOperation
from airflow.models.asset import (
    AssetAliasModel,
    AssetEvent,
    AssetModel,
    AssetWatcherModel,
    DagScheduleAssetAliasReference,
    DagScheduleAssetReference,
    TaskInletAssetReference,
    TaskOutletAssetReference,
)
from airflow.models.dag import DagModel
from sqlalchemy import Select, delete, func, insert, or_, select, tuple_, union_all
from sqlalchemy.orm import Session

from tradewind_provider.store.dag_tables import DagBundle

log = logging.getLogger(__name__)

_USES: Final = (DagScheduleAssetReference, TaskInletAssetReference, TaskOutletAssetReference)


def owners(
    db: Session, *, name: str | None = None, uri: str | None = None, alias: str | None = None
) -> set[str | None]:
    """For each asset of that name or that URI, and each that the alias stands for, the Dag that has used it the longest. A
    Dag that uses it no more counts only by an event that it wrote. None: no Dag that the plane knows uses that asset."""
    found = set(db.scalars(select(AssetModel.id).where(or_(AssetModel.name == name, AssetModel.uri == uri))))
    resolved = select(AssetAliasModel).where(AssetAliasModel.name == alias)
    found |= {asset.id for one in db.scalars(resolved) for asset in one.assets}
    dags = {_first_user(db, asset_id) for asset_id in found}
    if alias is not None:
        waits = (
            select(DagScheduleAssetAliasReference.dag_id)
            .join(AssetAliasModel, AssetAliasModel.id == DagScheduleAssetAliasReference.alias_id)
            .where(AssetAliasModel.name == alias)
            .order_by(DagScheduleAssetAliasReference.created_at, DagScheduleAssetAliasReference.dag_id)
        )
        dags |= set(db.scalars(waits.limit(1)))
    return dags


def _first_user(db: Session, asset_id: int) -> str | None:
    uses = [
        (row.created_at, str(row.dag_id))
        for table in _USES
        for row in db.execute(
            select(table.created_at, table.dag_id)
            .where(table.asset_id == asset_id)
            .order_by(table.created_at, table.dag_id)
            .limit(1)
        )
    ]
    if uses:
        return min(uses)[1]
    wrote = select(AssetEvent.source_dag_id).where(
        AssetEvent.asset_id == asset_id, AssetEvent.source_dag_id.is_not(None)
    )
    return db.scalar(wrote.order_by(AssetEvent.timestamp).limit(1))


def of_dags(dags: Select[Any]) -> Select[Any]:
    """The ids of assets with watchers that belong to one of these Dags."""
    uses = union_all(
        *(
            select(each.asset_id, each.dag_id, each.created_at).where(
                each.asset_id.in_(select(AssetWatcherModel.asset_id))
            )
            for each in _USES
        )
    ).subquery()
    first = select(
        uses.c.asset_id,
        uses.c.dag_id,
        func.row_number()
        .over(partition_by=uses.c.asset_id, order_by=(uses.c.created_at, uses.c.dag_id))
        .label("place"),
    ).subquery()
    return select(first.c.asset_id).where(first.c.place == 1, first.c.dag_id.in_(dags))


@dataclass(frozen=True)
class _Kept:
    """What an asset's row holds before another site's Dag is stored."""

    asset: AssetModel
    group: str
    extra: dict[str, Any]
    watchers: frozenset[tuple[str, int]]


@contextmanager
def kept(db: Session, bundle: str, dags: Collection[Any]) -> Iterator[None]:
    """Inside, Dags of the bundle are stored. Assets that they name and that belong to another site, or to the plane, have the
    group, extra and watchers of before."""
    before = _foreign(db, bundle, dags)
    yield
    if not before:
        return
    db.flush()
    for each in before:
        asset, changed = each.asset, []
        if (asset.group, asset.extra) != (each.group, each.extra):
            asset.group, asset.extra = each.group, each.extra
            changed.append("group or extra")
        if (now := _watchers(db, asset.id)) != each.watchers:
            added = [trigger_id for _, trigger_id in now - each.watchers]
            db.execute(
                delete(AssetWatcherModel).where(
                    AssetWatcherModel.asset_id == asset.id, AssetWatcherModel.trigger_id.in_(added)
                )
            )
            for name, trigger_id in each.watchers - now:
                db.execute(
                    insert(AssetWatcherModel).values(name=name, asset_id=asset.id, trigger_id=trigger_id)
                )
            db.expire(asset, ["watchers"])
            changed.append("watchers")
        if changed:
            log.warning(
                "Asset %r belongs to a Dag of another site: its %s stay as they are, whatever bundle %r says",
                asset.name,
                " and ".join(changed),
                bundle,
                extra={"action": "asset_kept"},
            )
    db.flush()


def _foreign(db: Session, bundle: str, dags: Collection[Any]) -> list[_Kept]:
    site = db.scalar(select(DagBundle.site).where(DagBundle.name == bundle))
    named = list(AssetModelOperation.collect({dag.dag_id: dag for dag in dags}).assets)
    if site is None or not named:
        return []
    found = []
    for asset in db.scalars(select(AssetModel).where(tuple_(AssetModel.name, AssetModel.uri).in_(named))):
        owner = _first_user(db, asset.id)
        if owner is None or _site_of(db, owner) == site:
            continue
        found.append(_Kept(asset, asset.group, dict(asset.extra or {}), _watchers(db, asset.id)))
    return found


def _site_of(db: Session, dag_id: str) -> str | None:
    return db.scalar(
        select(DagBundle.site)
        .join(DagModel, DagModel.bundle_name == DagBundle.name)
        .where(DagModel.dag_id == dag_id)
    )


def _watchers(db: Session, asset_id: int) -> frozenset[tuple[str, int]]:
    rows = db.execute(
        select(AssetWatcherModel.name, AssetWatcherModel.trigger_id).where(
            AssetWatcherModel.asset_id == asset_id
        )
    )
    return frozenset((row.name, row.trigger_id) for row in rows)
