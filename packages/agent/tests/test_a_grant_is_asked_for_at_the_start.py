"""What the gateway notes of an attempt's grant, as the request that is granted with passes through it."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from test_the_gateway_while_the_plane_is_away import TI, Box, Plane, Site

from tradewind_agent.access.grants import Grant, GrantState
from tradewind_agent.access.local_secrets import AttemptPrincipal
from tradewind_agent.gateway.execution import ExecutionRequests
from tradewind_agent.gateway.ledger import Ledger
from tradewind_agent.state.sealing import SiteSealing
from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary import Rules
from tradewind_protocol.errors import Code, Refused

pytestmark = pytest.mark.looptime(resolution=1e-9)


class Asking:
    """A task's supervisor that asks whether its task may run."""

    def __init__(self, directory: Path) -> None:
        self.news: list[GrantState] = []
        self.left: list[str] = []
        self.grant = Grant(self.news.append)
        self.plane, self.ledger = Plane(), Ledger(directory, now=lambda: 1.8e9)
        requests = ExecutionRequests(
            plane=self.plane,
            rules=Rules,
            ledger=self.ledger,
            outbox=Box(),
            sealing=SiteSealing(SiteKey(b"of this site")),
        )
        attempt = AttemptPrincipal(
            uuid4(),
            1,
            WorkKind.TASK,
            str(TI),
            "etl.extract",
            grant=self.grant,
            on_task_state=self.left.append,
        )
        self.site = Site(self.plane, Box(), self.ledger, requests, attempt)

    async def leaves(self, state: object) -> int:
        """The supervisor says in which state it leaves the task."""
        with self.ledger:
            body = json.dumps({"state": state}).encode()
            return (await self.site.ask("PATCH", f"/execution/task-instances/{TI}/state", body)).status

    async def asks(self) -> int:
        with self.ledger:
            body = b'{"hostname": "c", "pid": 1}'
            return (await self.site.ask("PATCH", f"/execution/task-instances/{TI}/run", body)).status


@pytest.fixture
def asking(tmp_path: Path) -> Asking:
    return Asking(tmp_path)


def refusal(code: Code) -> httpx.Response:
    refused = Refused(code, "no")
    return httpx.Response(refused.status, content=refused.refusal.model_dump_json())


async def test_an_answer_of_the_plane_is_the_grant(asking: Asking) -> None:
    assert await asking.asks() == 200
    assert asking.news == [GrantState.MAYBE, GrantState.GRANTED]


async def test_airflow_says_no_only_to_what_was_granted(asking: Asking) -> None:
    asking.plane.answers = [httpx.Response(409, json={"detail": {"reason": "invalid_state"}})]
    assert await asking.asks() == 409
    assert asking.grant.state is GrantState.GRANTED


@pytest.mark.parametrize("code", [Code.LEASE_LOST, Code.ATTEMPT_UNKNOWN, Code.ATTEMPT_NOT_YOURS])
async def test_an_offer_the_plane_has_taken_back_is_gone(asking: Asking, code: Code) -> None:
    asking.plane.answers = [refusal(code)]
    await asking.asks()
    assert asking.grant.state is GrantState.GONE


@pytest.mark.parametrize("code", [Code.INTERNAL, Code.RATE_LIMITED, Code.NOT_PERMITTED])
async def test_any_other_refusal_leaves_it_open(asking: Asking, code: Code) -> None:
    asking.plane.answers = [refusal(code)]
    await asking.asks()
    assert asking.grant.state is GrantState.MAYBE


async def test_a_lost_answer_leaves_it_open_until_the_next_one(asking: Asking) -> None:
    asking.plane.lose = 1
    assert await asking.asks() == 200
    assert asking.news == [GrantState.MAYBE, GrantState.GRANTED]


async def test_a_grant_that_was_given_stays_given(asking: Asking) -> None:
    await asking.asks()
    asking.grant.answered(Refused(Code.LEASE_LOST, "later"))
    assert asking.grant.state is GrantState.GRANTED
    assert not asking.grant.withdraw()


async def test_what_was_given_back_asks_no_more(asking: Asking) -> None:
    assert asking.grant.withdraw()
    with pytest.raises(Refused):
        await asking.asks()
    assert asking.plane.seen == []


async def test_what_was_asked_for_is_not_given_back(asking: Asking) -> None:
    asking.plane.up.clear()
    asking.plane.cadence = asking.plane.cadence.model_copy(update={"lost_after": 1})
    assert await asking.asks() == 503
    assert asking.grant.state is GrantState.NOT_ASKED  # it never left
    asking.plane.comes_back()
    asking.plane.lose = 99
    assert await asking.asks() == 503
    assert not asking.grant.withdraw()


# ---- in which state the task is left


async def test_the_state_the_plane_has_taken_is_noted(asking: Asking) -> None:
    assert await asking.leaves("up_for_retry") == 200
    assert asking.left == ["up_for_retry"]


async def test_a_state_that_was_refused_is_not_noted(asking: Asking) -> None:
    asking.plane.answers = [httpx.Response(409, json={"detail": {"reason": "invalid_state"}})]
    await asking.leaves("success")
    assert asking.left == []


async def test_a_state_kept_for_a_plane_that_is_away_is_noted(asking: Asking) -> None:
    asking.plane.goes_away()
    assert await asking.leaves("failed") < 300
    assert asking.left == ["failed"]


async def test_what_is_no_state_is_passed_on_and_not_noted(asking: Asking) -> None:
    await asking.leaves(["failed"])
    assert asking.left == []
