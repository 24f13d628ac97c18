"""Which site's agents get a piece of work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from tradewind_protocol.states import AttemptState
from tradewind_provider import notifications
from tradewind_provider.airflow import dag_bundles, workloads
from tradewind_provider.domain import routes
from tradewind_provider.domain.routes import Route
from tradewind_provider.store.attempt_states import NOT_STARTED
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.statements import changed
from tradewind_provider.store.tables import AgentToken, Attempt

_OWNERS: Final = "tradewind_bundle_owners"


def route(db: Session, work: workloads.Workload) -> Route:
    """Where work goes: to the site that has its bundle.

    Work that needs no bundle (a connection test), and that of the plane's own bundles (their author asked for this
    executor), goes where its queue says: see `routes.addressed`. Work of a bundle that has no owner waits for a site to
    claim it.
    """
    if work.bundle is not None:
        owner = _owner(db, work.bundle)
        if owner.site is not None or not owner.is_plane:
            return Route(work.queue, owner.site, work.bundle)
    site, queue = routes.addressed(work.queue, _known(db))
    return Route(queue, site, work.bundle)


def site_of(db: Session, bundle: str) -> str | None:
    """The site whose agents get the work of a bundle, when no queue names another; None: no site's agents do."""
    owner = _owner(db, bundle)
    return routes.addressed("", _known(db))[0] if owner.site is None and owner.is_plane else owner.site


def is_planes(db: Session, bundle: str) -> bool:
    """Whether a bundle is the plane's own."""
    return _owner(db, bundle).is_plane


def of_site(db: Session, site: str, bundles: Collection[str]) -> set[str]:
    """Those of the bundles whose Dags are for agents of that site: its own, and for the site that gets the plane's work
    the plane's."""
    rows = db.execute(select(DagBundle.name, DagBundle.site).where(DagBundle.name.in_(bundles)))
    owners = {row.name: row.site for row in rows}
    found = {name for name, owner in owners.items() if owner == site}
    rest = set(bundles) - owners.keys()
    if rest and has_the_planes_work(db, site):
        found |= {name for name in rest if dag_bundles.is_planes(db, name)}
    return found


def has_the_planes_work(db: Session, site: str) -> bool:
    """True for the site that gets work of the plane's own Dags whose queue names no other."""
    return routes.addressed("", _known(db))[0] == site


def _known(db: Session) -> set[str]:
    """The sites that have an agent token."""
    return set(db.scalars(select(AgentToken.site).where(AgentToken.deleted_at.is_(None)).distinct()))


def claimed(db: Session, bundle: str, site: str) -> None:
    """A site has claimed a bundle that had no owner: what waits for the bundle waits for agents of that site now, and so
    does what is on offer, should it come back."""
    given = changed(
        db,
        update(Attempt).where(Attempt.bundle == bundle, Attempt.state.in_(NOT_STARTED)).values(site=site),
    )
    if given:
        notifications.publish(db, notifications.WORK)


def settle(db: Session) -> int:
    """Give work that waits for a site to claim its bundle to the site that has claimed it since: it may have been
    queued in the moment of the claim. Returns how much."""
    owner = select(DagBundle.site).where(DagBundle.name == Attempt.bundle).scalar_subquery()
    settled = changed(
        db,
        update(Attempt)
        .where(
            Attempt.state == AttemptState.QUEUED.value,
            Attempt.site.is_(None),
            exists().where(DagBundle.name == Attempt.bundle),
        )
        .values(site=owner),
    )
    if settled:
        notifications.publish(db, notifications.WORK)
    return settled


@dataclass(frozen=True)
class _Owner:
    site: str | None
    is_plane: bool = False


def _owner(db: Session, bundle: str) -> _Owner:
    """Whose a bundle is. A scheduler queues hundreds of tasks in one transaction: it asks once for each bundle."""
    transaction, known = db.info.get(_OWNERS, (None, {}))
    if transaction is None or transaction is not db.get_transaction():
        known = {}
    if bundle not in known:
        site = db.scalar(select(DagBundle.site).where(DagBundle.name == bundle))
        known[bundle] = _Owner(site, is_plane=site is None and dag_bundles.is_planes(db, bundle))
        db.info[_OWNERS] = (db.get_transaction(), known)
    found: _Owner = known[bundle]
    return found
