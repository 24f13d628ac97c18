"""A session that ends, and a plane that refuses one."""

from __future__ import annotations

import asyncio

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.errors import Fenced, RefusedForGood
from tradewind_agent.testing import FakePlane
from tradewind_protocol.errors import Code, Refused

# finer than the loop's own clock: with the coarser default of Python 3.10's looptime its time can stand still
pytestmark = pytest.mark.looptime(resolution=1e-9)


async def test_a_session_the_plane_has_forgotten_is_opened_anew(agent: AgentUnderTest, plane: FakePlane):
    async with agent:
        await agent.ready()
        plane.end_session()
        await plane.until(lambda: len(plane.sessions) == 2)
        attempt = plane.queue(taking=1)
        await plane.until(lambda: attempt.outcomes)
        assert plane.sessions[0].opened.instance == plane.sessions[1].opened.instance


async def test_a_newer_process_with_the_same_identity_ends_this_one(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=1000)
    with pytest.raises(Fenced, match="identity"):
        async with agent:
            await plane.until(lambda: agent.launcher.ran())
            plane.session.ended, plane.session.fenced = "fenced", True
            plane.end_session()
            await agent.ended()
    assert not agent.launcher.worker.attempts
    assert attempt.outcomes == []


@pytest.mark.parametrize(
    "code", [Code.TOKEN_UNKNOWN, Code.TOKEN_EXPIRED, Code.WRONG_DEPLOYMENT, Code.VERSION_SKEW]
)
async def test_a_refusal_that_only_a_person_can_cure_ends_the_agent_with_the_remedy(
    agent: AgentUnderTest, plane: FakePlane, code: Code
):
    plane.refuse = lambda path: Refused(code, "the reason", remedy="the cure")
    with pytest.raises(RefusedForGood, match="the reason.*the cure"):
        async with agent:
            await agent.ended()


async def test_an_address_that_is_not_allowed_is_tried_slowly_until_it_is(
    agent: AgentUnderTest, plane: FakePlane
):
    plane.refuse = lambda path: Refused(Code.ADDRESS_NOT_ALLOWED, "not on the list")
    async with agent:
        await asyncio.sleep(290)
        assert len(plane.requests) == 5
        plane.refuse = lambda path: None
        await agent.ready()
