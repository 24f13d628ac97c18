"""Several platform processes on one PostgreSQL: one leads, and another one goes on when it is gone (scenario 22)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from support import forked, postgresql
from support.leading_reconciler import STEPS
from support.patience import stretched
from support.platform_parts import Reconciled, Time
from tradewind.embedded.processes import wait_until
from tradewind_platform.api.context import Platform
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.services.people import first_organization
from tradewind_platform.store.leadership import PostgresLeadership
from tradewind_platform.store.migration import migrate
from tradewind_platform.store.sessions import Store, open_engine

pytestmark = [pytest.mark.postgresql, pytest.mark.timeout(180)]


def test_one_of_two_holds_the_lock_and_the_other_gets_it_when_it_resigns_or_its_connection_ends(
    server: postgresql.PostgreSQL,
) -> None:
    url = server.new_database()
    first, second = (PostgresLeadership(open_engine(url)) for _ in range(2))
    assert first.holds() and first.holds() and not second.holds()
    first.resign()
    assert second.holds() and not first.holds()
    connection = second._connection
    assert connection is not None
    pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
    with open_engine(url).connect() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
    assert not second.holds(), "it finds out before it does anything"
    assert first.holds() and not second.holds()
    first.resign()


def test_scenario_22_the_leader_is_killed_in_a_step_and_another_one_goes_on_within_10_seconds(
    server: postgresql.PostgreSQL, tmp_path: Path
) -> None:
    url, file = server.new_database(), tmp_path / "steps"
    file.touch()
    engine = open_engine(url)
    migrate(engine)
    store, ring, now = Store(engine), KeyRing.create(tmp_path / "keys"), Time()
    organization = first_organization(store, "acme", now=now.now)
    asked = Reconciled(Platform(store, ring, now), organization, now)
    with open(os.devnull, "wb") as nowhere:
        replicas = [
            forked.Process(
                *("support.leading_reconciler", url, str(tmp_path / "keys"), str(file)),
                env={"PATH": os.environ["PATH"]},
                output=nowhere.fileno(),
                prepared="import support.leading_reconciler",
            )
            for _ in range(2)
        ]
    try:
        names = ["one", "two", "three"]
        for name in names:
            asked.create(name)

        def lines() -> list[list[str]]:
            return [line.split() for line in file.read_text().splitlines()]

        wait_until(lambda: len(lines()) > 5, timeout=stretched(60), what="the leader works")
        leaders = {int(pid) for *_, pid in lines()}
        assert len(leaders) == 1, "only one of them works"
        (leader,) = leaders
        os.kill(leader, signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: int(lines()[-1][3]) != leader, timeout=stretched(30), what="the other one leads")
        assert time.monotonic() - killed < stretched(10)

        def done() -> bool:
            return {asked.deployment(name)["phase"] for name in names} == {"running"}

        wait_until(done, timeout=stretched(60), what="all are made")
        ended = [(slug, step) for what, slug, step, _ in lines() if what == "end"]
        assert len(set(ended)) == len(names) * len(STEPS)
        begun = [(slug, step) for what, slug, step, _ in lines() if what == "begin"]
        again = len(begun) - len(set(begun))
        assert again <= 4, "only those that the killed leader was in are begun twice"
        assert len(ended) - len(set(ended)) <= 4
    finally:
        for one in replicas:
            one.kill()
            one.wait()
        engine.dispose()
