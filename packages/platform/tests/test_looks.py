"""A query that is asked again and again, given to the driver as it is."""

from __future__ import annotations

from sqlalchemy import select

from support.platform_parts import Reconciled
from tradewind_platform.domain.operations import Phase
from tradewind_platform.store.looks import Look
from tradewind_platform.store.tables import Deployment

NAMES = select(Deployment.name).where(Deployment.phase == Phase.RUNNING.value).order_by(Deployment.name)


def test_it_answers_what_is_so_now(reconciled: Reconciled) -> None:
    look = Look(reconciled.platform.store.engine, NAMES)
    assert look.rows() == []
    for name in ("sales", "events"):
        reconciled.created(name)
    assert look.rows() == [("events",), ("sales",)]


def test_it_leaves_no_transaction_behind(reconciled: Reconciled) -> None:
    """Else a connection of the pool would go on to show what was so then, and hold what SQLite writes."""
    reconciled.created("sales")
    engine = reconciled.platform.store.engine
    look = Look(engine, NAMES)
    for _ in range(3):
        look.rows()
        with reconciled.platform.store.across_organizations() as db:
            (row,) = db.scalars(select(Deployment))
            row.name += "+"
        assert look.rows() == [(row.name,)]
    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_value_with_signs_of_the_drivers_own_is_compared_as_it_is(reconciled: Reconciled) -> None:
    reconciled.created("sales")
    engine = reconciled.platform.store.engine
    for sign in ("100%", "50%%", "%s", "%(name)s", ":name", "?", "it's"):
        with reconciled.platform.store.across_organizations() as db:
            (row,) = db.scalars(select(Deployment))
            row.name = sign
        assert Look(engine, select(Deployment.slug).where(Deployment.name == sign)).rows() == [(row.slug,)]
