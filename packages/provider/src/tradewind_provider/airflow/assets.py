"""Which Dags an asset's event may start, and which runs it is recorded for: Airflow asks before it stores either."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from airflow.assets.manager import AssetManager
from airflow.models.asset import AssetEvent, AssetModel
from airflow.models.dagrun import DagRun
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import select
from sqlalchemy.orm import PassiveFlag, Session
from sqlalchemy.orm.attributes import get_history

from tradewind_provider.airflow import dag_bundles

_SITE: Final = "tradewind_event_site"
_EVENTS: Final = "consumed_asset_events"
FROM_SITE: Final = "tradewind_site"
"""Key in the extra of an event that a trigger made: the site that ran the trigger. Airflow stores no source with such an event."""


@dataclass(frozen=True)
class AssetChange:
    """An event of an asset, before Dags are queued for it."""

    asset: str  # its name
    bundle: str | None  # of the Dag whose task wrote the asset
    dag_id: str | None  # that Dag
    site: str | None  # whose trigger watched the asset


Admit = Callable[[Session, AssetChange, Mapping[str, str]], Collection[str]]
"""Of Dags and their bundles, the ids of those that the change may start."""


Tells = Callable[[Session, AssetChange, str], bool]
"""Whether a run of a Dag in that bundle gets the event."""


def install(admit: Admit, tells: Tells) -> None:
    """Ask `admit` about every event of an asset in this process from now on, and `tells` about every event that a run is
    made with: it gets all that came since the run before, and not only the one that started it. Idempotent. What a user
    of the API or of the UI reports is not asked about."""
    queue = AssetManager._queue_dagruns
    if hasattr(queue, "__wrapped__"):
        return

    @functools.wraps(queue.__func__)
    def judged(cls: type[AssetManager], **arguments: Any) -> None:
        session, dags, event = arguments["session"], arguments["dags_to_queue"], arguments["event"]
        bundle = event.source_dag_id and dag_bundles.of_dag(session, event.source_dag_id)
        site = session.info.get(_SITE)
        if dags and (bundle or site):
            name = session.scalar(select(AssetModel.name).where(AssetModel.id == arguments["asset_id"]))
            change = AssetChange(str(name), bundle, event.source_dag_id, site)
            admitted = admit(session, change, {one.dag_id: one.bundle_name for one in dags})
            arguments["dags_to_queue"] = {one for one in dags if one.dag_id in admitted}
        queue.__func__(cls, **arguments)

    def notes_and_drops(db: Session, *_: object) -> None:
        site = db.info.get(_SITE)
        for event in [
            one for one in db.new if isinstance(one, AssetEvent) and site and not one.source_dag_id
        ]:
            event.extra = {**(event.extra or {}), FROM_SITE: site}
        for run in [one for one in (*db.new, *db.dirty) if isinstance(one, DagRun)]:
            for event in get_history(run, _EVENTS, passive=PassiveFlag.PASSIVE_NO_INITIALIZE).added or ():
                change = _change(db, event)
                if change is not None and not tells(db, change, str(dag_bundles.of_dag(db, run.dag_id))):
                    run.consumed_asset_events.remove(event)

    sqlalchemy_event.listen(Session, "before_flush", notes_and_drops)
    AssetManager._queue_dagruns = classmethod(judged)  # type: ignore[arg-type]


def _change(db: Session, event: AssetEvent) -> AssetChange | None:
    """What a stored event is; None for one that a user reported, or a trigger of the plane."""
    if event.source_dag_id is not None:
        bundle = dag_bundles.of_dag(db, event.source_dag_id)
        return AssetChange(event.asset.name, bundle, event.source_dag_id, None)
    site = (event.extra or {}).get(FROM_SITE)
    return AssetChange(event.asset.name, None, None, str(site)) if site else None


@contextmanager
def emitted_by(db: Session, site: str) -> Iterator[None]:
    """Events of assets in this block, of this session, come from a trigger that ran at that site."""
    db.info[_SITE] = site
    try:
        yield
    finally:
        db.info.pop(_SITE, None)
