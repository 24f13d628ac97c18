"""The list of Deployments shows their agents and their work, and asks none of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import httpx

from support.platform_parts import Reconciled
from tradewind_platform.services import deployment_credentials, secrets
from tradewind_protocol.access import WORKLOAD_PATH

BUSY = {"agents": 3, "healthy_agents": 2, "running": 5, "queued": 7}


def told(
    reconciled: Reconciled, deployment: str, workload: dict[str, int], *, by: str = ""
) -> httpx.Response:
    with reconciled.platform.store.reading(reconciled.organization) as db:
        found = secrets.of(db, reconciled.platform.ring, UUID(by or deployment))
    caller = reconciled.caller(found[deployment_credentials.SECRET])
    answer: httpx.Response = caller.put(WORKLOAD_PATH.format(deployment=deployment), json=workload)
    return answer


def listed(reconciled: Reconciled) -> dict[str, Any]:
    return {one["name"]: one["workload"] for one in reconciled.owner.get("/v1/deployments").json()["items"]}


def test_what_a_deployment_has_told_last_is_in_the_list(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")["id"]
    reconciled.created("ops")
    assert listed(reconciled) == {"sales": None, "ops": None}
    assert told(reconciled, sales, {**BUSY, "queued": 0}).status_code == 204
    assert told(reconciled, sales, BUSY).status_code == 204
    shown = {**BUSY, "database_bytes": None, "at": "2026-03-01T12:00:00Z"}
    assert listed(reconciled) == {"sales": shown, "ops": None}
    told(reconciled, sales, {**BUSY, "database_bytes": 5 * 2**40})
    assert listed(reconciled)["sales"]["database_bytes"] == 5 * 2**40
    assert reconciled.deployment("sales")["workload"]["running"] == 5


def test_a_deployment_tells_of_itself_only(reconciled: Reconciled) -> None:
    sales, ops = reconciled.created("sales")["id"], reconciled.created("ops")["id"]
    assert told(reconciled, sales, BUSY, by=ops).status_code == 401
    assert told(reconciled, sales, {**BUSY, "agents": -1}).status_code == 422
    assert listed(reconciled) == {"sales": None, "ops": None}


def test_figures_that_are_old_or_of_what_does_not_run_are_not_shown(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")
    told(reconciled, sales["id"], BUSY)
    reconciled.time.pass_(minutes=14)
    assert listed(reconciled)["sales"] is not None
    reconciled.time.pass_(minutes=1)
    assert listed(reconciled)["sales"] is None, "it is heard of no more"
    told(reconciled, sales["id"], BUSY)
    reconciled.driver.cluster.end(sales["slug"], "api server")
    reconciled.reconciler.observer.observe_all()
    assert listed(reconciled)["sales"] is not None, "the reconciler has started it again"
    reconciled.owner.post("/v1/deployments/sales/hibernate", json={})
    reconciled.reconciler.carry_out_all()
    assert listed(reconciled)["sales"] is None, "it sleeps"


def test_a_list_of_many_takes_as_many_queries_as_one_of_two(reconciled: Reconciled) -> None:
    from sqlalchemy import event

    statements: list[str] = []
    for name in ("sales", "ops"):
        told(reconciled, reconciled.created(name)["id"], BUSY)
    engine = reconciled.platform.store.engine

    def count() -> int:
        statements.clear()
        assert all(listed(reconciled).values())
        return len(statements)

    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    few = count()
    for number in range(6):
        told(reconciled, reconciled.created(f"more-{number}")["id"], BUSY)
    assert count() == few
