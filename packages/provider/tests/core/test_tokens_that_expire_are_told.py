"""A Deployment tells its platform which agent tokens are near their end while agents use them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from tradewind_protocol.access import ExpiringToken
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import tokens
from tradewind_provider.services.expiring_tokens import expiring

from .scenes import NOON, Agent, Clock, Plane

DAY = 24 * 3600


def told(clock: Clock) -> list[str]:
    with create_session() as db:
        return [one.name for one in expiring(db, now=clock())]


def made(clock: Clock, name: str, days: int | None) -> tuple[UUID, str]:
    """The id and the value of a new token."""
    with create_session() as db:
        found = tokens.create(db, name=name, expires_in_days=days, created_by="ada", now=clock(), limit=50)
        return found.token.id, found.secret


async def opened(plane: Plane, token: tuple[UUID, str], name: str = "eu-1") -> Agent:
    agent = plane.agent(name)
    agent.secret = token[1]
    return await agent.opens()


async def test_a_token_that_agents_use_is_told_from_30_days_before_its_end_to_a_day_after_it(
    plane: Plane, clock: Clock
) -> None:
    await opened(plane, made(clock, "yearly", 31))
    assert told(clock) == []
    clock.forward(DAY)
    with create_session() as db:
        expires_at = NOON + timedelta(days=31)
        assert expiring(db, now=clock()) == (
            ExpiringToken(name="yearly", issued_at=NOON, expires_at=expires_at),
        )
    clock.forward(30 * DAY)
    assert told(clock) == ["yearly"], "it has expired this moment"
    clock.forward(DAY)
    assert told(clock) == []


async def test_those_that_end_first_are_told_first_and_one_without_an_end_never(
    plane: Plane, clock: Clock
) -> None:
    for number, (name, days) in enumerate((("late", 9), ("early", 3), ("never", None))):
        await opened(plane, made(clock, name, days), f"eu-{number}")
    assert told(clock) == ["early", "late"]


async def test_a_token_that_no_agent_uses_is_not_told(plane: Plane, clock: Clock) -> None:
    made(clock, "unused", 9)
    replaced = await opened(plane, made(clock, "replaced", 9))
    assert told(clock) == ["replaced"]
    await replaced.goodbye()
    assert told(clock) == ["replaced"], "agents may be between two runs"
    clock.forward(2 * DAY)
    assert told(clock) == []


async def test_a_deleted_token_is_not_told(plane: Plane, clock: Clock) -> None:
    token = made(clock, "gone", 9)
    await opened(plane, token)
    with create_session() as db:
        tokens.delete(db, token[0], deleted_by="ada", reason="", now=clock())
    assert told(clock) == []


async def test_a_rotated_token_is_as_old_as_its_present_value(plane: Plane, clock: Clock) -> None:
    token = made(clock, "monthly", 30)
    await opened(plane, token)
    clock.forward(20 * DAY)
    _rotated(clock, token[0], days=30)
    clock.forward(60)
    with create_session() as db:
        (one,) = expiring(db, now=clock())
    assert one.issued_at == NOON + timedelta(days=20)
    assert one.expires_at == NOON + timedelta(days=50)


def _rotated(clock: Clock, token: UUID, *, days: int) -> None:
    with create_session() as db:
        tokens.rotate(
            db,
            token,
            overlap=timedelta(hours=24),
            expires_in_days=days,
            rotated_by="ada",
            now=clock(),
        )
