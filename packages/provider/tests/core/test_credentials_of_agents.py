"""Agent tokens and session tokens: what each opens, and when it stops to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import tokens
from tradewind_provider.store.tables import AgentSession, AgentToken

from .scenes import Clock, Plane, error_of, queued, row


async def test_only_hashes_of_credentials_are_kept(plane: Plane, secret: str) -> None:
    agent = await plane.agent().opens()
    with create_session() as db:
        kept = [*db.scalars(select(AgentSession.token_hash)), *db.scalars(select(AgentToken.token_hash))]
    assert all(len(one) == 64 and one not in (agent.token, secret) for one in kept)


async def test_a_session_token_is_renewed_in_passing_and_a_lost_renewal_harms_nobody(
    plane: Plane, clock: Clock
) -> None:
    agent = await plane.agent().opens()
    assert (await agent.poll()).json()["session_token"] is None
    clock.forward(1900)  # past half its hour

    lost = (await agent.poll()).json()["session_token"]
    fresh = (await agent.poll()).json()["session_token"]

    assert lost is not None or fresh is not None
    assert (await agent.poll()).status_code == 200  # the old one is good until its own end
    clock.forward(1750)
    expired = await agent.poll()
    assert (expired.status_code, error_of(expired)) == (401, "session_expired")
    agent.token = fresh or lost
    assert (await agent.poll()).status_code == 200


@pytest.mark.parametrize(
    ("bearer", "status", "code"),
    [
        ("", 401, "token_malformed"),
        ("hello", 401, "token_malformed"),
        (ids.new_secret(ids.SESSION_TOKEN_PREFIX), 401, "token_malformed"),
        (ids.new_secret(ids.AGENT_TOKEN_PREFIX), 401, "token_unknown"),
    ],
)
async def test_what_is_not_an_agent_token_opens_nothing(
    plane: Plane, bearer: str, status: int, code: str
) -> None:
    agent = plane.agent()
    agent.secret = bearer or " "
    answer = await agent.open()
    assert (answer.status_code, error_of(answer)) == (status, code)
    assert bearer not in answer.text or not bearer


async def test_a_request_without_a_token_says_so(plane: Plane) -> None:
    client = plane.agent().client
    answer = await client.post("/poll", json={})
    assert (answer.status_code, error_of(answer)) == (401, "token_missing")


async def test_an_agent_token_is_no_session_token(plane: Plane, secret: str) -> None:
    agent = await plane.agent().opens()
    agent.token = secret
    assert error_of(await agent.poll()) == "token_malformed"


async def test_a_deleted_token_ends_its_sessions(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    with create_session() as db:
        (token,) = tokens.listed(db)
        tokens.delete(db, token.id, deleted_by="ada", now=clock())
    clock.forward(2)

    for answer in (await agent.poll(), await agent.open()):
        assert (answer.status_code, error_of(answer)) == (403, "token_deleted")
    assert "was deleted by ada" in row(attempt).reason
    with create_session() as db:
        assert tokens.listed(db) == []


async def test_a_held_poll_ends_when_its_token_is_deleted(plane: Plane, clock: Clock) -> None:
    import asyncio

    agent = await plane.agent().opens()
    poll = asyncio.create_task(agent.poll(hold=20))
    await asyncio.sleep(0.2)

    def delete() -> None:
        with create_session() as db:
            tokens.delete(db, tokens.listed(db)[0].id, deleted_by="ada", now=clock())

    await asyncio.to_thread(delete)
    answer = await asyncio.wait_for(poll, 3)
    assert (answer.status_code, error_of(answer)) == (403, "token_deleted")


async def test_an_expired_token_is_told_apart(plane: Plane, clock: Clock) -> None:
    with create_session() as db:
        made = tokens.create(db, name="brief", expires_in_days=1, created_by="ada", now=clock(), limit=50)
    agent = plane.agent()
    agent.secret = made.secret
    await agent.opens()
    clock.forward(timedelta(days=1).total_seconds())
    assert error_of(await agent.open()) == "token_expired"


def test_a_token_is_shown_once_and_limits_are_kept(clock: Clock) -> None:
    def make(name: str, days: int | None = 30, limit: int = 2) -> tokens.CreatedToken:
        with create_session() as db:
            return tokens.create(
                db, name=name, expires_in_days=days, created_by="ada", now=clock(), limit=limit
            )

    made = make("one")
    assert made.secret not in repr(made)
    assert made.token.shown == made.secret[: len("tw_agent_") + 8 + 4] + "…"
    for days in (0, 3651):
        with pytest.raises(Refused) as refused:
            make("two", days)
        assert refused.value.code is Code.MALFORMED
    with pytest.raises(Refused) as refused:
        make("one")
    assert refused.value.code is Code.CONFLICT
    make("two", None)
    with pytest.raises(Refused) as refused:
        make("three")
    assert refused.value.code is Code.LIMIT_REACHED
    with create_session() as db:
        tokens.delete(db, made.token.id, deleted_by="ada", now=clock())
        tokens.delete(db, made.token.id, deleted_by="eve", now=clock())
    make("one")
    with create_session() as db:
        assert tokens.get(db, made.token.id).deleted_by == "ada"
        assert db.scalar(select(func.count()).select_from(AgentToken)) == 3
