"""Agents with nothing to do: what they cost the database, and that nothing is missed for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from sqlalchemy import event, update
from sqlalchemy.engine import Engine
from starlette.applications import Starlette
from starlette.routing import Mount

from tradewind_protocol import paths
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.agent.app import create_app
from tradewind_provider.api.agent_requests import AgentRequests
from tradewind_provider.api.dispatch import dispatcher
from tradewind_provider.api.ingress.addresses import AddressCheck
from tradewind_provider.clock import utc_now
from tradewind_provider.composition import compose
from tradewind_provider.services import polls, tokens
from tradewind_provider.settings import Settings
from tradewind_provider.store.tables import AgentCommand, AgentSession

from .scenes import SETTINGS, Agent, Clock, Plane, queued, ref, row, running, sessions_of, with_cadence


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is asked of the database while this is entered."""
    asked: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)  # verbs have an engine of their own
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@asynccontextmanager
async def served(settings: Settings, clock: Any, socket: Path) -> AsyncIterator[None]:
    """The application behind its middlewares, in a real web server."""
    parts = compose(settings, clock=clock)
    app = create_app(parts)
    root = Starlette(routes=[Mount(paths.PREFIX.rpartition("/")[0], app)])
    guarded = AddressCheck(
        AgentRequests(root, plane=parts), gate=parts.gate, refusal_events=parts.refusal_events
    )
    server = uvicorn.Server(uvicorn.Config(guarded, uds=str(socket), log_level="error", lifespan="off"))
    async with app.router.lifespan_context(app):
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110  # uvicorn has no event for it
            await asyncio.sleep(0.01)
        yield
        server.should_exit = True
        app.state.plane.dispatcher.answer_all()
        await serving


@asynccontextmanager
async def polling(
    socket: Path, secret: str, count: int
) -> AsyncIterator[tuple[list[int], list[asyncio.Task[None]]]]:
    """So many agents that do nothing but poll, and each poll that was answered."""
    answered: list[int] = []
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    transport = httpx.AsyncHTTPTransport(uds=str(socket), limits=limits)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://plane" + paths.PREFIX, timeout=30
    ) as client:

        async def one(number: int) -> None:
            agent = await Agent(client, secret, f"idle-{number}").opens()
            while True:
                answer = await agent.poll(hold=None)
                assert answer.status_code == 200, answer.text
                answered.append(number)

        tasks = [asyncio.create_task(one(number)) for number in range(count)]
        try:
            yield answered, tasks
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended


async def cost(socket: Path, secret: str, count: int, *, seconds: float) -> tuple[int, int]:
    """Statements and polls in so many seconds, once every agent has polled."""
    async with polling(socket, secret, count) as (answered, agents):
        while len(set(answered)) < count and not any(one.done() for one in agents):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        polls_before = len(answered)
        with statements() as asked:
            await asyncio.sleep(seconds)
        return len(asked), len(answered) - polls_before


async def test_idle_agents_cost_the_database_by_the_second_and_not_by_the_agent(
    secret: str, tmp_path: Path
) -> None:
    # polls a twelfth as long, so that a minute of the cadence passes in less than five seconds
    settings = replace(with_cadence(SETTINGS, poll=25 / 12.5), sweep=5 / 12.5)
    minute = 60 / 12.5
    async with served(settings, utc_now, tmp_path / "plane.sock"):
        few, polls_of_few = await cost(tmp_path / "plane.sock", secret, 10, seconds=minute)
        many, polls_of_many = await cost(tmp_path / "plane.sock", secret, 50, seconds=minute)

    assert polls_of_many > polls_of_few > 0
    # of a minute: three statements a second for beats, and what looks and sweeps every five
    assert max(few, many) <= 60 * 3 + 12 * 20


async def quiet(agent: Agent) -> Agent:
    """It has polled before, and nothing came of it."""
    assert (await agent.poll()).json()["offers"] == []
    return agent


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A poll is held for longer than a test takes, and nothing is looked for without news: what answers one was told."""
    monkeypatch.setattr(dispatcher, "_LOOK_ANYWAY", 3600.0)
    return with_cadence(SETTINGS, poll=3600.0)


async def holds(at: Plane, agent: Agent, **more: Any) -> asyncio.Task[httpx.Response]:
    """A poll that waits at that API server, or has been answered."""
    task = asyncio.create_task(agent.poll(hold=None, **more))
    await until(lambda: at.dispatcher.polls > 0 or task.done())
    return task


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that has to happen, as long as the machine needs for it."""
    while not condition():  # noqa: ASYNC110  # of rows in a database
        await asyncio.sleep(0.01)


async def test_a_poll_that_says_nothing_new_is_neither_looked_up_nor_written_down_by_itself(
    plane: Plane,
) -> None:
    agent = await quiet(await plane.agent().opens())
    with statements() as asked:
        task = await holds(plane, agent)
        by_itself = [one for one in asked if one.startswith("UPDATE") or "tradewind_agent_token" in one]
        assert by_itself == []
        await plane.dispatcher.heartbeats.write()
    assert len([one for one in asked if one.startswith("UPDATE tradewind_session")]) == 1
    assert not task.done()
    task.cancel()


async def test_the_beat_of_such_a_poll_is_written_down(plane: Plane, clock: Clock) -> None:
    agent = await quiet(await plane.agent().opens())
    clock.forward(25)
    task = await holds(plane, agent)
    await plane.dispatcher.heartbeats.write()
    assert sessions_of(agent.agent_id)[0].last_beat_at == clock()
    task.cancel()


async def test_work_wakes_such_a_poll_at_once(plane: Plane, clock: Clock) -> None:
    agent = await quiet(await plane.agent().opens())
    task = await holds(plane, agent)
    attempt = await asyncio.to_thread(queued, clock)
    offers = (await task).json()["offers"]
    assert [offer["attempt_id"] for offer in offers] == [str(attempt)]


async def test_an_offer_lost_with_its_answer_comes_with_the_same_poll_again(
    plane: Plane, clock: Clock
) -> None:
    agent = await quiet(await plane.agent().opens())
    task = await holds(plane, agent)
    plane.transport.of("/poll")
    await asyncio.to_thread(queued, clock)
    offers = (await task).json()["offers"]
    assert [offer["epoch"] for offer in offers] == [1]


async def test_an_offer_made_by_another_api_server_is_found(
    settings: Settings, clock: Clock, secret: str
) -> None:
    async with running(settings, clock, secret) as one, running(settings, clock, secret) as two:
        agent = await quiet(await one.agent().opens())
        elsewhere = replace(agent, client=two.agent().client)
        attempt = queued(clock)
        assert len(await elsewhere.offers()) == 1  # and the answer is lost
        task = await holds(one, agent)
        await one.dispatcher.heartbeats.write()
        offers = (await task).json()["offers"]
    assert [offer["attempt_id"] for offer in offers] == [str(attempt)]


async def test_what_an_agent_said_to_another_api_server_is_not_kept_when_it_is_over(
    settings: Settings, clock: Clock, secret: str
) -> None:
    async with running(settings, clock, secret) as one, running(settings, clock, secret) as two:
        agent = await quiet(await one.agent().opens())
        elsewhere = replace(agent, client=two.agent().client)
        await elsewhere.poll(findings=[{"check": "disk", "message": "the disk is full"}])
        assert sessions_of(agent.agent_id)[0].findings != []
        task = await holds(one, agent)
        await one.dispatcher.heartbeats.write()
        await until(lambda: sessions_of(agent.agent_id)[0].findings == [])
        task.cancel()


async def test_an_attempt_taken_away_meanwhile_is_told_of(plane: Plane, clock: Clock) -> None:
    agent = await plane.agent().opens()
    attempt = queued(clock)
    (offer,) = await agent.offers()
    await agent.start(offer)
    said = {"free": 3, "running": [ref(offer)]}
    await agent.poll(**said)
    with create_session() as db:
        db.merge(row(attempt)).state = "revoked"
    task = await holds(plane, agent, **said)
    await plane.dispatcher.heartbeats.write()
    assert (await task).json()["unknown"] == [ref(offer)]


async def test_a_command_nobody_announced_is_found(plane: Plane, clock: Clock) -> None:
    agent = await quiet(await plane.agent().opens())
    with create_session() as db:
        values = {"session_id": UUID(agent.session_id), "verb": "cordon", "arguments": {}}
        db.add(AgentCommand(id=uuid4(), created_at=clock(), **values))
    task = await holds(plane, agent)
    await plane.dispatcher.heartbeats.write()
    assert [one["verb"] for one in (await task).json()["commands"]] == ["cordon"]


async def test_a_session_that_ended_while_nobody_was_told_is_refused(plane: Plane, clock: Clock) -> None:
    agent = await quiet(await plane.agent().opens())
    clock.forward(1)
    with create_session() as db:
        db.execute(
            update(AgentSession).values(ended_at=clock(), ended_how="lost", ended_reason="has sent no poll")
        )
    task = await holds(plane, agent)
    await plane.dispatcher.heartbeats.write()
    answer = await task
    assert (answer.status_code, answer.json()["error"]) == (401, "session_expired")


async def test_deleting_the_agent_token_ends_a_poll_that_says_nothing_new(plane: Plane, clock: Clock) -> None:
    agent = await quiet(await plane.agent().opens())
    task = await holds(plane, agent)

    def delete() -> None:
        with create_session() as db:
            (found,) = tokens.listed(db)
            tokens.delete(db, found.id, deleted_by="ada", now=clock())

    await asyncio.to_thread(delete)
    answer = await task
    assert (answer.status_code, answer.json()["error"]) == (403, "token_deleted")


async def test_a_session_token_is_renewed_though_its_agent_has_nothing_to_say(
    plane: Plane, settings: Settings, clock: Clock
) -> None:
    agent = await quiet(await plane.agent().opens())
    clock.forward(settings.session / 2 + 1)
    answer = await (await holds(plane, agent))
    assert answer.json()["session_token"].startswith("tw_session_")


async def test_beats_that_cannot_be_written_down_are_said_again_in_full(
    plane: Plane, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise RuntimeError("the database is away")

    agent = await quiet(await plane.agent().opens())
    clock.forward(25)
    task = await holds(plane, agent)
    with monkeypatch.context() as patch:
        patch.setattr(polls, "record_unchanged", away)
        await plane.dispatcher.heartbeats.write()
    await until(lambda: sessions_of(agent.agent_id)[0].last_beat_at == clock())
    task.cancel()
