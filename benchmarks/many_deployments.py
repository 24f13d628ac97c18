"""A platform with many Deployments, whose driver is a fake: how long the list takes, and what an idle platform costs.

`python -m benchmarks.many_deployments --deployments 500`, with `tests` on the path.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import select

from support.platform_parts import NOW, QUICK, Reconciled, Time
from tradewind_platform.api.context import Platform
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services.people import first_organization
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import Store, open_engine
from tradewind_platform.store.tables import Deployment, Operation

EVERY = 5.0
"""Seconds between two rounds of observing, as `tradewind platform run` has."""


def platform_in(directory: Path) -> Reconciled:
    engine = open_engine(f"sqlite:///{directory}/platform.db")
    migrate(engine)
    store, clock = Store(engine), Time()
    organization = first_organization(store, "acme", now=NOW)
    ring = KeyRing.create(directory / "keys")
    return Reconciled(Platform(store, ring, clock, passwords=QUICK), organization, clock)


def _as_if_carried_out(made: Reconciled) -> None:
    """Every Deployment runs, without the steps of its creation: those are not what is measured."""
    with made.platform.store.across_organizations() as db:
        for operation in db.scalars(select(Operation)):
            operation.unfinished, operation.state, operation.ended_at = None, "succeeded", NOW
        for row in db.scalars(select(Deployment)):
            row.phase, row.observed_revision = "running", row.revision
            made.driver.cluster.of(row.slug).update(
                {"database", "tables", "api server", "scheduler", "route"}
            )


def measured(count: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as directory:
        made = platform_in(Path(directory))
        for number in range(count):
            made.create(f"d{number}")
        print(f"{count} are there", file=sys.stderr)
        _as_if_carried_out(made)
        made.reconciler.observe_all()
        listing = []
        for _ in range(rounds):
            began = time.perf_counter()
            answer = made.owner.get("/v1/deployments", params={"limit": 1000})
            listing.append(time.perf_counter() - began)
            assert answer.json()["total"] == count
        began = time.process_time()
        for _ in range(rounds):
            made.reconciler.observe_all()
            made.reconciler.begin_what_is_due()
        cpu = (time.process_time() - began) / rounds
    return {
        "deployments": count,
        "list_ms_p50": round(statistics.median(listing) * 1000, 1),
        "list_ms_max": round(max(listing) * 1000, 1),
        "observing_cpu_ms": round(cpu * 1000, 1),
        "idle_core_percent": round(cpu / EVERY * 100, 2),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    print(json.dumps(measured(asked.deployments, asked.rounds)))
