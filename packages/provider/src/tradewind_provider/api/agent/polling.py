"""The poll."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Hashable, Iterable
from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request

from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.polling import Poll, PollAnswer, QueueStatistics
from tradewind_provider.api import transactions
from tradewind_provider.api.agent.credentials import KNOWN, CurrentAgent, bearer
from tradewind_provider.api.agent.dispatcher import Dispatcher, News
from tradewind_provider.api.agent.plane import ThisPlane
from tradewind_provider.services import aiotasks, polls

router = APIRouter()

AGAIN_SECONDS = 5.0
"""What an agent was told is not news for this long, so that what it cannot act on at once makes no loop of polls. It
is in every answer all the same."""


class Told:
    """What each session was told a moment ago."""

    def __init__(self) -> None:
        self._told: dict[UUID, dict[Hashable, float]] = {}

    def fresh(self, session_id: UUID, things: Iterable[Hashable]) -> bool:
        """True when one of `things` was not told in the last seconds."""
        known = self.known(session_id)
        return any(one not in known for one in things)

    def known(self, session_id: UUID) -> frozenset[Hashable]:
        since = time.monotonic() - AGAIN_SECONDS
        told = {one: at for one, at in self._told.get(session_id, {}).items() if at > since}
        if told:
            self._told[session_id] = told
        else:
            self._told.pop(session_id, None)
        return frozenset(told)

    def forget(self) -> None:
        """Everything is news again."""
        self._told.clear()

    def tell(self, session_id: UUID, things: Iterable[Hashable]) -> None:
        moment = time.monotonic()
        for one in things:
            self._told.setdefault(session_id, {}).setdefault(one, moment)


TOLD = Told()


@router.post("/poll", summary="Say how things are and ask for news")
async def poll(said: Poll, request: Request, agent: CurrentAgent, plane: ThisPlane) -> PollAnswer:
    """See `tradewind_protocol.polling.Poll`. Held until there is news, `hold` seconds or the cadence's at most."""
    now, session_id = plane.clock(), agent.session_id
    dispatcher = plane.dispatcher
    if dispatcher is None or dispatcher.stopping:
        raise Refused(Code.UNAVAILABLE, "this API server is starting or stopping", remedy="try again")
    heard = await transactions.run(lambda db: polls.hear(db, agent, said, settings=plane.settings, now=now))
    owed = [
        *(one.id for one in heard.commands),
        *((one.attempt_id, one.epoch, "offer") for one in heard.offers),
        *((one.attempt_id, one.epoch, "unknown") for one in heard.unknown),
    ]
    hold = plane.settings.cadence.poll if said.hold is None else min(said.hold, plane.settings.cadence.poll)
    if heard.session_token is not None or TOLD.fresh(session_id, owed):
        hold = 0.0
    known = frozenset(one.id for one in heard.commands)
    news = News()
    if hold > 0 or heard.place is not None:
        news = await _unless_gone(
            request, dispatcher.wait(session_id, heard.place, known=known, timeout=hold)
        )
    if news.ended:
        KNOWN.forget()
        await KNOWN.agent(bearer(request.headers.get("authorization")), plane.clock())  # raises why
    commands = (*heard.commands, *news.commands)
    TOLD.tell(session_id, [*owed, *(one.id for one in news.commands)])
    return PollAnswer(
        offers=(*heard.offers, *news.offers),
        commands=commands,
        unknown=tuple(heard.unknown),
        session_token=heard.session_token,
        queues=_statistics(dispatcher, said, plane.clock()),
    )


async def _unless_gone(request: Request, waiting: Coroutine[object, object, News]) -> News:
    """The news, unless the client goes away first: then `waiting` is cancelled, so that nothing is offered to nobody."""
    work = asyncio.ensure_future(waiting)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise Refused(Code.UNAVAILABLE, "the client went away")  # nobody reads it
    finally:
        await aiotasks.cancel(work, gone)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _statistics(dispatcher: Dispatcher, said: Poll, now: datetime) -> tuple[QueueStatistics, ...]:
    """Of the queues the agent spoke of."""
    asked = {queue for room in said.room for queue in room.queues}
    return tuple(
        QueueStatistics(queue=one.queue, depth=one.count, oldest_wait=one.oldest_wait(now))
        for one in dispatcher.depths.values()
        if one.queue in asked
    )
