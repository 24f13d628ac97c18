"""The poll."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request

from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.polling import Poll, PollAnswer, QueueStatistics
from tradewind_provider import aiotasks
from tradewind_provider.api import transactions
from tradewind_provider.api.auth.credentials import PROTOCOL_HEADER, bearer, check_protocol
from tradewind_provider.api.dispatch.dispatcher import Dispatcher, News
from tradewind_provider.api.dispatch.unchanged_polls import RememberedPoll
from tradewind_provider.api.plane import Plane, ThisPlane
from tradewind_provider.domain.queues import QueueDepth
from tradewind_provider.services import polls
from tradewind_provider.services.agents import Agent

router = APIRouter()


@dataclass(frozen=True)
class PollCaller:
    """The caller of a poll: an authenticated agent, or one whose last poll is remembered."""

    session_token: str
    agent: Agent | None = None
    remembered: RememberedPoll | None = None


async def _poll_caller(request: Request, plane: ThisPlane) -> PollCaller:
    """FastAPI dependency. Raises Refused as `credentials.current_agent` does, and UNAVAILABLE."""
    if plane.dispatcher is None or plane.dispatcher.stopping:
        raise Refused(Code.UNAVAILABLE, "this API server is starting or stopping", remedy="try again")
    check_protocol(request.headers.get(PROTOCOL_HEADER))
    token, now = bearer(request.headers.get("authorization")), plane.clock()
    if (remembered := plane.dispatcher.unchanged_polls.find(token, now)) is not None:
        return PollCaller(token, remembered=remembered)
    return PollCaller(token, agent=await plane.sessions.agent(token, now))


@router.post("/poll", summary="Say how things are and ask for news")
async def poll(
    said: Poll, request: Request, caller: Annotated[PollCaller, Depends(_poll_caller)], plane: ThisPlane
) -> PollAnswer:
    """See `tradewind_protocol.polling.Poll`. Held until there is news, `hold` seconds or the cadence's at most."""
    dispatcher = plane.dispatcher
    assert dispatcher is not None  # the dependency has checked it
    hold = plane.settings.cadence.poll if said.hold is None else min(said.hold, plane.settings.cadence.poll)
    remembered = caller.remembered
    # one that is to be answered sooner is heard in full: its session would not have been looked up
    in_time = hold >= 2 * dispatcher.heartbeats.every
    if remembered is not None and in_time and remembered.said == said.model_copy(update={"hold": None}):
        news = await _wait_unchanged(request, plane, dispatcher, remembered, hold)
        if not (news.again or news.ended):
            return _answer(
                dispatcher,
                remembered.agent.site,
                said,
                plane.clock(),
                offers=news.offers,
                commands=news.commands,
            )
    agent = caller.agent or await plane.sessions.agent(caller.session_token, plane.clock())
    now, session_id, news_of_agents = plane.clock(), agent.session_id, dispatcher.news_of_agents
    heard = await transactions.run(
        lambda db: polls.handle_poll(db, agent, said, settings=plane.settings, now=now)
    )
    dispatcher.unchanged_polls.remember(caller.session_token, agent, said, heard, news=news_of_agents)
    owed = [
        *(one.id for one in heard.commands),
        *((one.attempt_id, one.epoch, "offer") for one in heard.offers),
        *((one.attempt_id, one.epoch, "unknown") for one in heard.unknown),
    ]
    if heard.session_token is not None or dispatcher.delivered.fresh(session_id, owed):
        hold = 0.0
    known = frozenset(one.id for one in heard.commands)
    news = News()
    if hold > 0 or heard.candidate is not None:
        waiting = dispatcher.wait(session_id, heard.candidate, known=known, timeout=hold, news=news_of_agents)
        news = await _unless_gone(request, waiting)
        _mind(dispatcher, session_id, news)
    if news.ended:
        plane.sessions.forget()
        await plane.sessions.agent(caller.session_token, plane.clock())  # raises why
    commands = (*heard.commands, *news.commands)
    dispatcher.delivered.tell(session_id, [*owed, *(one.id for one in news.commands)])
    return _answer(
        dispatcher,
        agent.site,
        said,
        plane.clock(),
        offers=(*heard.offers, *news.offers),
        commands=commands,
        unknown=tuple(heard.unknown),
        session_token=heard.session_token,
    )


async def _wait_unchanged(
    request: Request, plane: Plane, dispatcher: Dispatcher, remembered: RememberedPoll, hold: float
) -> News:
    """What comes for a session that has nothing to say."""
    session_id = remembered.agent.session_id
    dispatcher.heartbeats.say(remembered.beat)
    waiting = dispatcher.wait(
        session_id, remembered.place, known=frozenset(), timeout=hold, news=remembered.news
    )
    news = await _unless_gone(request, waiting)
    remembered.news = dispatcher.news_of_agents
    _mind(dispatcher, session_id, news)
    if news.ended:
        plane.sessions.forget()
    dispatcher.delivered.tell(session_id, [one.id for one in news.commands])
    return news


def _mind(dispatcher: Dispatcher, session_id: UUID, news: News) -> None:
    """A poll that was answered with news is followed by a changed poll, unless the answer was lost."""
    if news:
        dispatcher.unchanged_polls.forget([session_id])


def _answer(dispatcher: Dispatcher, site: str, said: Poll, now: datetime, **more: Any) -> PollAnswer:
    answer: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in more.items()
    }
    return PollAnswer(**answer, queues=_statistics(dispatcher, site, said, now))


async def _unless_gone(request: Request, waiting: Coroutine[object, object, News]) -> News:
    """The news, unless the client goes away first: then `waiting` is cancelled, so that no offer goes to a client that has left."""
    work = asyncio.ensure_future(waiting)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise Refused(Code.UNAVAILABLE, "the client went away")  # the client does not read it
    finally:
        await aiotasks.cancel(work, gone)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _statistics(dispatcher: Dispatcher, site: str, said: Poll, now: datetime) -> tuple[QueueStatistics, ...]:
    """Of the queues of its site that the agent spoke of."""
    asked = {queue for room in said.room for queue in room.queues}
    found: dict[str, list[QueueDepth]] = {}
    for one in dispatcher.depths.values():
        if one.route.site == site and one.route.queue in asked:
            found.setdefault(one.route.queue, []).append(one)
    return tuple(
        QueueStatistics(
            queue=queue,
            depth=sum(one.count for one in depths),
            oldest_wait=max(one.oldest_wait(now) for one in depths),
        )
        for queue, depths in found.items()
    )
