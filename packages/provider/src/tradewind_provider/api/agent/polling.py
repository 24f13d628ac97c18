"""The poll."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
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
from tradewind_provider.api.dispatch.dispatcher import Delivery, Dispatcher
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


@router.post("/poll", summary="Report the state of the agent, and wait for offers and commands")
async def poll(
    body: Poll, request: Request, caller: Annotated[PollCaller, Depends(_poll_caller)], plane: ThisPlane
) -> PollAnswer:
    """See `tradewind_protocol.polling.Poll`. Held until there is something to deliver, for `hold` seconds or the cadence's at most."""
    dispatcher = plane.dispatcher
    assert dispatcher is not None  # the dependency has checked it
    hold = plane.settings.cadence.poll if body.hold is None else min(body.hold, plane.settings.cadence.poll)
    if (remembered := _unchanged(dispatcher, caller, body, hold)) is not None:
        delivery = await _wait_unchanged(request, plane, dispatcher, remembered, hold)
        if not (delivery.handle_in_full or delivery.ended):
            return _answer(
                dispatcher,
                remembered.agent.site,
                body,
                plane.clock(),
                offers=delivery.offers,
                commands=delivery.commands,
            )
    return await _handle_in_full(request, plane, dispatcher, caller, body, hold)


def _unchanged(dispatcher: Dispatcher, caller: PollCaller, body: Poll, hold: float) -> RememberedPoll | None:
    """The remembered poll of the caller, when `body` says the same and is held until its heartbeat is written."""
    remembered = caller.remembered
    if remembered is None or hold < 2 * dispatcher.heartbeats.every:
        return None  # one that is answered sooner would not have had its session looked up
    return remembered if remembered.poll == body.model_copy(update={"hold": None}) else None


async def _wait_unchanged(
    request: Request, plane: Plane, dispatcher: Dispatcher, remembered: RememberedPoll, hold: float
) -> Delivery:
    session_id = remembered.agent.session_id
    dispatcher.heartbeats.add(remembered.unchanged)
    waiting = dispatcher.wait(
        session_id,
        remembered.candidate,
        known=frozenset(),
        timeout=hold,
        agent_changes=remembered.agent_changes,
    )
    delivery = await _unless_gone(request, waiting)
    remembered.agent_changes = dispatcher.agent_changes
    _expect_changed_poll(dispatcher, session_id, delivery)
    if delivery.ended:
        plane.sessions.forget()
    dispatcher.delivered.note(session_id, [one.id for one in delivery.commands])
    return delivery


async def _handle_in_full(
    request: Request, plane: Plane, dispatcher: Dispatcher, caller: PollCaller, body: Poll, hold: float
) -> PollAnswer:
    """Authenticate, write the poll down, and wait unless something is owed already."""
    agent = caller.agent or await plane.sessions.agent(caller.session_token, plane.clock())
    now, session_id, agent_changes = plane.clock(), agent.session_id, dispatcher.agent_changes
    result = await transactions.run(
        lambda db: polls.handle_poll(db, agent, body, settings=plane.settings, now=now)
    )
    dispatcher.unchanged_polls.remember(
        caller.session_token, agent, body, result, agent_changes=agent_changes
    )
    owed = _owed(result)
    if result.session_token is not None or dispatcher.delivered.is_any_new(session_id, owed):
        hold = 0.0
    delivery = Delivery()
    if hold > 0 or result.candidate is not None:
        known = frozenset(one.id for one in result.commands)
        waiting = dispatcher.wait(
            session_id, result.candidate, known=known, timeout=hold, agent_changes=agent_changes
        )
        delivery = await _unless_gone(request, waiting)
        _expect_changed_poll(dispatcher, session_id, delivery)
    if delivery.ended:
        plane.sessions.forget()
        await plane.sessions.agent(caller.session_token, plane.clock())  # raises why
    dispatcher.delivered.note(session_id, [*owed, *(one.id for one in delivery.commands)])
    return _answer(
        dispatcher,
        agent.site,
        body,
        plane.clock(),
        offers=(*result.offers, *delivery.offers),
        commands=(*result.commands, *delivery.commands),
        unknown=tuple(result.unknown),
        session_token=result.session_token,
    )


def _owed(result: polls.PollResult) -> list[Hashable]:
    """What the answer holds whether the poll waits or not."""
    return [
        *(one.id for one in result.commands),
        *((one.attempt_id, one.epoch, "offer") for one in result.offers),
        *((one.attempt_id, one.epoch, "unknown") for one in result.unknown),
    ]


def _expect_changed_poll(dispatcher: Dispatcher, session_id: UUID, delivery: Delivery) -> None:
    """A poll that was answered with something is followed by a changed poll, unless the answer was lost."""
    if delivery:
        dispatcher.unchanged_polls.forget([session_id])


def _answer(dispatcher: Dispatcher, site: str, body: Poll, now: datetime, **more: Any) -> PollAnswer:
    answer: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in more.items()
    }
    return PollAnswer(**answer, queues=_statistics(dispatcher, site, body, now))


async def _unless_gone(request: Request, waiting: Coroutine[object, object, Delivery]) -> Delivery:
    """What `waiting` returns, unless the client goes away first: then `waiting` is cancelled, so that no offer goes to a client that has left."""
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


def _statistics(dispatcher: Dispatcher, site: str, body: Poll, now: datetime) -> tuple[QueueStatistics, ...]:
    """Of the queues of its site that the agent names."""
    asked = {queue for room in body.room for queue in room.queues}
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
