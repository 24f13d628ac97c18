"""Credentials that open nothing: told apart, written down once, and not listened to without end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api import bodies
from tradewind_provider.api.auth.rate_limiter import AuthenticationRateLimiter, CredentialKind
from tradewind_provider.api.auth.refusal_events import RefusalEvents
from tradewind_provider.domain.token_buckets import TokenBuckets
from tradewind_provider.services import client_address, tokens
from tradewind_provider.store.tables import Event, Setting

from .scenes import Clock, Plane

ADDRESS = "203.0.113.7"


@pytest.fixture(autouse=True)
def comes_from() -> Iterator[None]:
    token = client_address.ADDRESS.set(ADDRESS)
    yield
    client_address.ADDRESS.reset(token)


def refusals() -> list[tuple[str, str, str]]:
    with create_session() as db:
        found = db.scalars(select(Event).where(Event.action == "agent_refused").order_by(Event.id)).all()
        return [(one.detail["code"], one.subject, one.address) for one in found]


async def test_each_kind_of_token_that_opens_nothing_has_a_code_and_an_event_of_its_own(
    plane: Plane, clock: Clock, secret: str
) -> None:
    elsewhere = ids.new_secret(ids.AGENT_TOKEN_PREFIX, mark="elsewher")
    never = secret[:-4] + ("AAAA" if not secret.endswith("AAAA") else "BBBB")
    old = ids.new_secret(ids.AGENT_TOKEN_PREFIX)  # of a plane that gave its tokens no mark
    with create_session() as db:
        gone = tokens.create(db, name="gone", expires_in_days=1, created_by="ada", now=clock(), limit=9)
        late = tokens.create(db, name="late", expires_in_days=1, created_by="ada", now=clock(), limit=9)
        tokens.delete(db, gone.token.id, deleted_by="ada", now=clock())
    clock.forward(86_400)
    found = {}
    for token in (elsewhere, never, old, gone.secret, late.secret, "tw_agent_cut"):
        agent = plane.agent()
        agent.secret = token
        for _ in range(2):
            answer = await agent.open()
        found[token] = (answer.status_code, answer.json()["error"])
        assert token not in answer.text
        assert answer.json()["remedy"]
    assert list(found.values()) == [
        (403, "wrong_deployment"),
        (401, "token_unknown"),
        (401, "token_unknown"),
        (403, "token_deleted"),
        (403, "token_expired"),
        (401, "token_malformed"),
    ]
    assert refusals() == [
        ("wrong_deployment", f"token:{ids.shown(elsewhere)}", ADDRESS),
        ("token_unknown", f"token:{ids.shown(never)}", ADDRESS),
        ("token_unknown", f"token:{ids.shown(old)}", ADDRESS),
        ("token_deleted", "token:gone", ADDRESS),
        ("token_expired", "token:late", ADDRESS),
        ("token_malformed", f"token:{ids.shown('tw_agent_cut')}", ADDRESS),
    ]


def test_a_deployment_keeps_its_mark(clock: Clock) -> None:
    marks = set()
    for name in ("one", "two"):
        with create_session() as db:
            made = tokens.create(db, name=name, expires_in_days=None, created_by="ada", now=clock(), limit=9)
        marks.add(ids.mark_of(made.secret))
    with create_session() as db:
        assert marks == {db.get_one(Setting, "mark").value}


async def test_events_of_refusals_are_few_however_often_somebody_knocks(clock: Clock) -> None:
    moment = 0.0
    notes = RefusalEvents(monotonic=lambda: moment, clock=clock)
    unknown = Refused(Code.TOKEN_UNKNOWN, "no such token")
    for number in range(40):
        await notes.note(unknown, source=ADDRESS, shown=f"tw_agent_{number}…")
    assert len(refusals()) == 30
    for _ in range(100):
        await notes.note(unknown, source=ADDRESS, shown="tw_agent_0…")
    assert len(refusals()) == 30
    moment = 601.0
    await notes.note(unknown, source=ADDRESS, shown="tw_agent_0…")
    assert len(refusals()) == 31
    await notes.note(Refused(Code.LEASE_LOST, "gone"), source=ADDRESS)  # nobody's wrong credential
    assert len(refusals()) == 31


async def shown(limiter: AuthenticationRateLimiter, token: str, *, good: bool = False) -> Code | None:
    async def work() -> None:
        if not good:
            raise Refused(Code.TOKEN_UNKNOWN, "no such token")

    try:
        await limiter.shown(CredentialKind.AGENT_TOKEN, token, work)
    except Refused as refused:
        return refused.code
    return None


async def test_an_address_of_many_wrong_tokens_is_not_listened_to_for_a_while() -> None:
    moment = 0.0
    limiter = AuthenticationRateLimiter(RefusalEvents(), per_minute=3, monotonic=lambda: moment)
    assert [await shown(limiter, f"wrong {n}") for n in range(3)] == [Code.TOKEN_UNKNOWN] * 3
    assert await shown(limiter, "right", good=True) is Code.RATE_LIMITED
    moment = 20.0
    assert await shown(limiter, "right", good=True) is None
    assert await shown(limiter, "wrong") is Code.TOKEN_UNKNOWN
    assert await shown(limiter, "wrong") is Code.RATE_LIMITED
    assert await shown(limiter, "right", good=True) is None  # it was good a moment ago
    client_address.ADDRESS.set("203.0.113.8")
    assert await shown(limiter, "wrong") is Code.TOKEN_UNKNOWN
    assert ("rate_limited", f"address:{ADDRESS}", ADDRESS) in refusals()


async def test_whoever_is_not_listened_to_is_told_for_how_long(plane: Plane) -> None:
    agent = plane.agent()
    agent.secret = ids.new_secret(ids.AGENT_TOKEN_PREFIX)
    statuses = [(await agent.open()).status_code for _ in range(61)]
    assert statuses == [401] * 60 + [429]
    answer = await agent.open()
    assert answer.json()["error"] == "rate_limited"
    assert answer.headers["retry-after"] == "1"


async def test_the_middleware_too_says_for_how_long() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await bodies.refuse(send, Refused(Code.RATE_LIMITED, "too many wrong credentials came", retry_after=7))
    assert sent[0]["status"] == 429
    assert dict(sent[0]["headers"])[b"retry-after"] == b"7"
    sent.clear()
    await bodies.refuse(send, Refused(Code.TOKEN_UNKNOWN, "no such token"))
    assert b"retry-after" not in dict(sent[0]["headers"])


def test_no_limit_means_none() -> None:
    buckets = TokenBuckets(burst=1, per_second=0)
    for moment in range(100):
        buckets.failed(ADDRESS, moment)
    assert buckets.wait(ADDRESS, 100) == 0


def test_one_machine_with_a_network_of_addresses_counts_as_one() -> None:
    buckets = TokenBuckets(burst=2, per_second=1)
    buckets.failed("2001:db8::1", 0)
    buckets.failed("2001:db8::2", 0)
    assert buckets.wait("2001:db8::3", 0) == 1
    assert buckets.wait("2001:db8:0:1::3", 0) == 0
    assert buckets.wait("2001:db8::3", 0.25) == 0.75


async def test_a_refusal_is_given_even_when_it_cannot_be_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tradewind_provider.api import transactions

    async def away(work: object) -> None:
        raise OSError

    monkeypatch.setattr(transactions, "run", away)
    await RefusalEvents().note(Refused(Code.TOKEN_UNKNOWN, "no such token"), source=ADDRESS, shown="x")
    monkeypatch.undo()
    assert refusals() == []


def test_a_mark_is_no_part_of_the_secret() -> None:
    token = ids.new_secret(ids.AGENT_TOKEN_PREFIX, mark="abcd1234")
    assert ids.mark_of(token) == "abcd1234"
    assert ids.shown(token) == token[:21] + "…"
    assert not ids.has_form_of(token[:-1], ids.AGENT_TOKEN_PREFIX)
    assert not ids.has_form_of("tw_session_" + token.removeprefix("tw_agent_"), ids.SESSION_TOKEN_PREFIX)
