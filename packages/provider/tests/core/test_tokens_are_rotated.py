"""An agent token gets another value while its agents run."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import reaper, token_authentication, tokens
from tradewind_provider.store.tables import AgentToken, Event

from .scenes import NOON, SETTINGS, Agent, Clock, Plane, queued, row, sessions_of


def rotated(clock: Clock, *, hours: float = 24.0, days: int | None = None) -> tokens.CreatedToken:
    with create_session() as db:
        token_id = db.scalars(select(AgentToken.id).where(AgentToken.deleted_at.is_(None))).one()
        return tokens.rotate(
            db,
            token_id,
            overlap=timedelta(hours=hours),
            expires_in_days=days,
            rotated_by="ada",
            reason="yearly",
            now=clock(),
        )


def swept(clock: Clock) -> int:
    with create_session() as db:
        return tokens.end_expired(db, now=clock())


async def refused(agent: Agent) -> tuple[int, str]:
    answer = await agent.open()
    return answer.status_code, answer.json().get("error", "")


async def test_both_values_open_sessions_until_the_overlap_is_over(
    plane: Plane, clock: Clock, secret: str
) -> None:
    new = rotated(clock).secret
    assert new != secret and ids.has_form_of(new, ids.AGENT_TOKEN_PREFIX)
    clock.forward(24 * 3600 - 1)
    await plane.agent("old").opens()
    agent = plane.agent("new")
    agent.secret = new
    await agent.opens()
    clock.forward(1)
    late = plane.agent("late")
    assert await refused(late) == (403, "token_expired")
    message = (await late.open()).json()["message"]
    assert "ada replaced at 2026-03-01 12:00 UTC" in message and "good until 2026-03-02 12:00 UTC" in message
    late.secret = new
    await late.opens()


async def test_an_agent_that_learns_the_new_value_in_time_keeps_its_session_and_its_work(
    plane: Plane, clock: Clock
) -> None:
    agent = await plane.agent().opens()
    queued(clock)
    (offer,) = await agent.offers()
    assert (await agent.start(offer)).status_code == 200
    before = agent.session_id
    agent.secret = rotated(clock, hours=1).secret
    assert (
        await agent.poll(running=[{"attempt_id": offer["attempt_id"], "epoch": offer["epoch"]}])
    ).status_code == 200
    await agent.opens()  # its token file has changed: same process, same session
    assert agent.session_id == before
    clock.forward(3599)
    running = [{"attempt_id": offer["attempt_id"], "epoch": offer["epoch"]}]
    await agent.opens()
    clock.forward(2)
    assert swept(clock) == 0
    assert (await agent.poll(running=running)).status_code == 200
    assert row(UUID(offer["attempt_id"])).state == "running"


async def test_an_agent_that_never_learns_it_is_ended_with_the_overlap(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    rotated(clock, hours=0.5)
    clock.forward(1799)
    assert (await agent.poll()).status_code == 200
    clock.forward(2)  # a session may be answered from memory for that long
    answer = await agent.poll()
    assert (answer.status_code, answer.json()["error"]) == (403, "token_expired")
    assert swept(clock) == 1
    (session,) = sessions_of(agent.agent_id)
    assert session.ended_how == "token_expired"
    assert (await agent.poll()).json()["error"] == "token_expired"


async def test_without_overlap_sessions_of_the_old_value_end_at_once(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    rotated(clock, hours=0)
    (session,) = sessions_of(agent.agent_id)
    assert session.ended_at == clock()
    assert await refused(agent) == (403, "token_expired")


async def test_rotating_twice_leaves_each_former_value_the_time_it_was_given(
    plane: Plane, clock: Clock, secret: str
) -> None:
    second = rotated(clock, hours=3).secret
    rotated(clock, hours=1)
    clock.forward(2 * 3600)
    assert await refused(Agent(plane.agent().client, second)) == (403, "token_expired")
    await Agent(plane.agent().client, secret).opens()


async def test_a_deleted_token_is_worth_nothing_by_any_of_its_values(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    made = rotated(clock)
    with create_session() as db:
        tokens.delete(db, made.token.id, deleted_by="ada", now=clock())
    assert sessions_of(agent.agent_id)[0].ended_how == "token_deleted"
    assert await refused(agent) == (403, "token_deleted")
    agent.secret = made.secret
    assert await refused(agent) == (403, "token_deleted")


async def test_sessions_end_when_their_token_expires(plane: Plane, clock: Clock) -> None:
    with create_session() as db:
        made = tokens.create(db, name="short", expires_in_days=1, created_by="ada", now=clock(), limit=9)
    agent = plane.agent()
    agent.secret = made.secret
    await agent.opens()
    clock.forward(86_399)
    assert swept(clock) == 0
    clock.forward(1)
    assert swept(clock) == 1
    assert "expired at 2026-03-02 12:00 UTC" in (sessions_of(agent.agent_id)[0].ended_reason or "")


def test_rotating_can_move_the_expiry_and_an_expired_token_must(clock: Clock) -> None:
    with create_session() as db:
        tokens.create(db, name="short", expires_in_days=1, created_by="ada", now=clock(), limit=9)
    assert rotated(clock).token.expires_at == NOON + timedelta(days=1)
    clock.forward(86_400)
    with pytest.raises(Refused) as error:
        rotated(clock)
    assert error.value.code is Code.CONFLICT
    assert rotated(clock, days=30).token.expires_at == NOON + timedelta(days=31)


def test_rotating_is_in_the_audit_trail_without_any_value(clock: Clock, secret: str) -> None:
    new = rotated(clock).secret
    with create_session() as db:
        event = db.scalars(select(Event).where(Event.action == "token_rotated")).one()
        assert (event.actor, event.subject, event.reason) == ("ada", "token:ci", "yearly")
        assert secret not in str(event.detail) and new not in str(event.detail)
        assert event.detail["former"] == ids.shown(secret)
        reaper.forget(db, SETTINGS, now=clock.forward(3600 * 24 * 400))
    with pytest.raises(Refused) as error, create_session() as db:
        token_authentication.authenticate(db, secret, now=clock())
    assert error.value.code is Code.TOKEN_UNKNOWN  # what became of it is forgotten after a year
