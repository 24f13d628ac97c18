"""Which Dags an asset's event may start: Airflow's asset manager, asked before it queues them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from airflow.assets.manager import AssetManager
from airflow.models.asset import AssetModel
from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_provider.airflow import dag_bundles

_SITE: Final = "tradewind_event_site"


@dataclass(frozen=True)
class AssetChange:
    """An event of an asset, before Dags are queued for it."""

    asset: str  # its name
    bundle: str | None  # of the Dag whose task wrote the asset
    dag_id: str | None  # that Dag
    site: str | None  # whose trigger watched the asset


Admit = Callable[[Session, AssetChange, Mapping[str, str]], Collection[str]]
"""Of Dags and their bundles, the ids of those that the change may start."""


def install(admit: Admit) -> None:
    """Ask `admit` about every event of an asset in this process from now on. Idempotent. What a user of the API or of
    the UI reports is not asked about."""
    queue = AssetManager._queue_dagruns
    if hasattr(queue, "__wrapped__"):
        return

    @functools.wraps(queue.__func__)
    def judged(cls: type[AssetManager], **told: Any) -> None:
        session, dags, event = told["session"], told["dags_to_queue"], told["event"]
        bundle = event.source_dag_id and dag_bundles.of_dag(session, event.source_dag_id)
        site = session.info.get(_SITE)
        if dags and (bundle or site):
            name = session.scalar(select(AssetModel.name).where(AssetModel.id == told["asset_id"]))
            change = AssetChange(str(name), bundle, event.source_dag_id, site)
            admitted = admit(session, change, {one.dag_id: one.bundle_name for one in dags})
            told["dags_to_queue"] = {one for one in dags if one.dag_id in admitted}
        queue.__func__(cls, **told)

    AssetManager._queue_dagruns = classmethod(judged)  # type: ignore[arg-type]


@contextmanager
def emitted_by(db: Session, site: str) -> Iterator[None]:
    """Events of assets in this block, of this session, come from a trigger that ran at that site."""
    db.info[_SITE] = site
    try:
        yield
    finally:
        db.info.pop(_SITE, None)
