"""A Deployment says ahead that an agent token ends: its page, its list, the command, and with time its health."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from support.platform_parts import NOW, Reconciled
from tradewind_platform.domain.health import Status
from tradewind_platform.domain.token_expiry import TokenExpiry, condition
from tradewind_platform.services import deployment_credentials, secrets
from tradewind_protocol.access import WORKLOAD_PATH

IDLE = {"agents": 1, "healthy_agents": 1, "running": 0, "queued": 0}


def token(name: str, *, left: float, life: float = 365) -> TokenExpiry:
    """With so many days left of so many."""
    expires_at = NOW + timedelta(days=left)
    return TokenExpiry(name, expires_at - timedelta(days=life), expires_at)


@pytest.mark.parametrize(
    ("life", "left", "status"),
    [
        (365, 30.1, None),
        (365, 30, Status.TRUE),
        (365, 10.1, Status.TRUE),
        (365, 10, Status.FALSE),
        (365, -0.5, Status.FALSE),
        (90, 30, Status.TRUE),
        (30, 10.1, None),
        (30, 10, Status.TRUE),
        (30, 5, Status.FALSE),
        (1, 0.4, None),
        (1, 0.3, Status.TRUE),
        (1, 0.1, Status.FALSE),
    ],
)
def test_a_token_is_told_ahead_of_its_end_and_a_short_one_by_its_own_life(
    life: float, left: float, status: Status | None
) -> None:
    found = condition("sales", [token("ci", left=left, life=life)], NOW)
    assert (None if found is None else found.status) is status


def test_the_first_end_is_named_with_its_remedy_and_the_others_are_counted() -> None:
    found = condition(
        "sales", [token("late", left=20), token("my token", left=9), token("far", left=90)], NOW
    )
    assert found is not None and (found.status, found.reason) == (Status.FALSE, "ExpiresSoon")
    assert found.message == (
        "The agent token 'my token' expires at 2026-03-10 12:00 UTC. Its agents are refused then. "
        "1 more is near the end."
    )
    assert "`tradewind --deployment sales tokens rotate 'my token' --expires-in-days 90`" in found.remedy
    assert found.since == NOW - timedelta(days=1), "ten days before the end"


def test_one_that_is_urgent_is_named_before_a_short_one_that_ends_earlier() -> None:
    found = condition("sales", [token("daily", left=0.3, life=1), token("yearly", left=9)], NOW)
    assert found is not None and found.status is Status.FALSE and "'yearly'" in found.message


def test_one_that_has_expired_says_so() -> None:
    found = condition("sales", [token("ci", left=-0.5)], NOW)
    assert found is not None and found.reason == "Expired"
    assert (
        found.message
        == "The agent token 'ci' expired at 2026-03-01 00:00 UTC: agents that have it are refused."
    )


# ---- as a Deployment tells it


def tell(reconciled: Reconciled, deployment: str, *tokens: dict[str, Any], **more: Any) -> int:
    with reconciled.platform.store.reading(reconciled.organization) as db:
        credential = secrets.of(db, reconciled.platform.ring, UUID(deployment))[deployment_credentials.SECRET]
    path = WORKLOAD_PATH.format(deployment=deployment)
    body = {**IDLE, "expiring_tokens": list(tokens), **more}
    return int(reconciled.caller(credential).put(path, json=body).status_code)


def ending(name: str, *, days: float) -> dict[str, Any]:
    at = NOW + timedelta(days=days)
    return {
        "name": name,
        "issued_at": (at - timedelta(days=365)).isoformat(),
        "expires_at": at.isoformat(),
    }


def of_tokens(reconciled: Reconciled) -> dict[str, Any] | None:
    conditions = reconciled.deployment()["conditions"]
    return next((one for one in conditions if one["type"] == "AgentTokensValid"), None)


def test_a_deployment_is_healthy_while_its_token_has_time_and_degraded_when_it_has_little(
    reconciled: Reconciled,
) -> None:
    sales = reconciled.created("sales")["id"]
    assert tell(reconciled, sales, ending("ci", days=20)) == 204
    found = of_tokens(reconciled)
    assert found is not None and found["status"] == "true" and "'ci' expires at" in found["message"]
    assert reconciled.deployment()["health"] == "healthy"
    reconciled.time.pass_(days=10)
    view = reconciled.deployment()
    assert (view["health"], view["health_reason"]) == ("degraded", found["message"])
    assert tell(reconciled, sales) == 204, "it was rotated"
    assert of_tokens(reconciled) is None and reconciled.deployment()["health"] == "healthy"


def test_the_end_is_told_while_the_deployment_sleeps_and_no_more_once_it_is_deleted(
    reconciled: Reconciled,
) -> None:
    sales = reconciled.created("sales")["id"]
    tell(reconciled, sales, ending("ci", days=20))
    reconciled.owner.post("/v1/deployments/sales/hibernate", json={})
    reconciled.reconciler.carry_out_all()
    reconciled.time.pass_(days=15)
    view = reconciled.deployment()
    assert (view["phase"], view["health"]) == ("asleep", "asleep")
    assert of_tokens(reconciled) is not None
    reconciled.owner.delete("/v1/deployments/sales")
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["phase"] == "deleted" and of_tokens(reconciled) is None


def test_an_api_server_of_a_release_before_tells_none(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")["id"]
    tell(reconciled, sales, ending("ci", days=5))
    assert of_tokens(reconciled) is not None
    assert tell(reconciled, sales, expiring_tokens=None) == 204
    assert of_tokens(reconciled) is None


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00"], ids=["the first", "the last"]
)
@pytest.mark.parametrize("field", ["issued_at", "expires_at"])
def test_a_moment_that_no_token_has_breaks_no_list(reconciled: Reconciled, field: str, moment: str) -> None:
    sales = reconciled.created("sales")["id"]
    assert tell(reconciled, sales, {**ending("ci", days=5), field: moment}, ending("real", days=5)) == 204
    found = of_tokens(reconciled)
    assert found is not None and "'real'" in found["message"] and "more" not in found["message"]


def test_a_moment_without_a_zone_is_refused(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")["id"]
    assert tell(reconciled, sales, {**ending("ci", days=5), "expires_at": "2026-03-06T12:00:00"}) == 422


def test_a_deployment_tells_no_more_than_it_may(reconciled: Reconciled) -> None:
    sales = reconciled.created("sales")["id"]
    many = [ending(f"t{number}", days=5) for number in range(21)]
    assert tell(reconciled, sales, *many) == 422
    assert tell(reconciled, sales, ending("n" * 251, days=5)) == 422
    assert of_tokens(reconciled) is None
