"""One per API server: lets polls wait, and gives work to all of them in one transaction when there is news."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from tradewind_protocol.attempts import Offer
from tradewind_protocol.polling import Command
from tradewind_provider import aiotasks, notifications
from tradewind_provider.api import transactions
from tradewind_provider.api.dispatch.recently_delivered import RecentlyDelivered
from tradewind_provider.api.dispatch.unchanged_polls import HeartbeatWriter, UnchangedPolls
from tradewind_provider.clock import Clock
from tradewind_provider.domain.placement import Candidate, CandidateIndex
from tradewind_provider.domain.queues import QueueDepth
from tradewind_provider.domain.routes import Route
from tradewind_provider.services import assignment, polls
from tradewind_provider.settings import Settings

log = logging.getLogger(__name__)

_LOOK_ANYWAY = 5.0  # seconds: news may be lost, work is not
_AFTER_TROUBLE = 1.0
_LONGEST_LOOK = 10.0
_MOST_FREE = 64  # places of each queue that are looked at first: there is seldom work for more
_OVERTIME = 1.0  # seconds a poll whose time is up waits for the look in hand
_UNTIL_CLOSING = 0.5
_SPACING = 0.1  # seconds between two looks at sessions: a thousand that open are a few looks


@dataclass
class News:
    """What a waiting poll is woken with."""

    offers: list[Offer] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    ended: bool = False  # its session ended: it is to authenticate again, and be refused
    again: bool = False  # it was taken for one that says nothing new, and is to be heard in full

    def __bool__(self) -> bool:
        return bool(self.offers or self.commands or self.ended or self.again)


@dataclass(eq=False, slots=True)
class _Waiting:
    session_id: UUID
    place: Candidate | None
    known: frozenset[UUID]  # commands it was told a moment ago
    once: bool  # to be answered after one look, news or not
    news: asyncio.Future[News]


@dataclass(frozen=True)
class _Given:
    offers: Mapping[UUID, list[Offer]]
    until: datetime  # how long they are leased
    depths: Mapping[Route, QueueDepth]
    left: Collection[Route]  # what still waits


class Dispatcher:
    """Polls wait in `wait`; `run` wakes them. All of it on one event loop."""

    def __init__(self, settings: Settings, *, clock: Clock, hub: notifications.Hub) -> None:
        self._settings = settings
        self._clock = clock
        self._hub = hub
        self._waiting: dict[UUID, _Waiting] = {}
        self._places = CandidateIndex()
        self._at_once: set[_Waiting] = set()
        self._kick_work = asyncio.Event()
        self._kick_sessions = asyncio.Event()
        # routes for which something was left waiting; None: not looked at since there was news
        self._left: Collection[Route] | None = None
        self._look_in_hand: asyncio.Future[None] | None = None
        self.stopping = False
        self.depths: Mapping[Route, QueueDepth] = {}
        """What waits for each route, as of the last look."""
        self.news_of_agents = 0
        """How often there was news of agents. A caller notes it before it reads a session's commands, and passes it to `wait`."""
        self.unchanged_polls = UnchangedPolls()
        self.delivered = RecentlyDelivered()
        self.heartbeats = HeartbeatWriter(
            poll=settings.cadence.poll,
            clock=clock,
            unchanged=self.unchanged_polls,
            hear_again=self._hear_again,
        )

    @property
    def polls(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def wait(
        self, session_id: UUID, place: Candidate | None, *, known: frozenset[UUID], timeout: float, news: int
    ) -> News:
        """News for a session: work for its place, commands it does not know, its end; nothing after `timeout` seconds.
        With a timeout of 0 there is one look, which takes as long as it takes. `news`: `news_of_agents` before its
        commands were read.

        A newer poll of the same session takes over from an older one, which is answered with nothing. When this is
        cancelled, nothing is offered to the session any more, and what was being offered at that moment is released.
        """
        one = _Waiting(session_id, place, known, timeout <= 0, asyncio.get_running_loop().create_future())
        if (older := self._waiting.get(session_id)) is not None:
            self._tell(older, News())
            self._leaves(older)
        self._comes(one)
        if one.once or (place is not None and self._may_have_work(place)):
            self._kick_work.set()
        if news != self.news_of_agents and not one.once:
            self._kick_sessions.set()
        try:
            return await asyncio.wait_for(asyncio.shield(one.news), timeout if timeout > 0 else _LONGEST_LOOK)
        except asyncio.TimeoutError:
            if self._look_in_hand is not None:
                # the poll that waits longest is first in line, so it is often those that are to be answered now that are
                # being given something
                await asyncio.wait({self._look_in_hand}, timeout=_OVERTIME)
            return one.news.result() if one.news.done() else News()
        finally:
            if self._waiting.get(session_id) is one:
                self._leaves(one)
            if not one.news.done():
                one.news.cancel()

    def _comes(self, one: _Waiting) -> None:
        self._waiting[one.session_id] = one
        if one.place is not None:
            self._places.add(one.place)
        if one.once:
            self._at_once.add(one)

    def _tell(self, one: _Waiting, news: News) -> None:
        """It has its answer, unless it had one before, and takes nothing more."""
        if not one.news.done():
            one.news.set_result(news)
            if one.place is not None:
                self._places.remove(one.place)

    def _leaves(self, one: _Waiting) -> None:
        del self._waiting[one.session_id]
        if one.place is not None:
            self._places.remove(one.place)
        self._at_once.discard(one)

    def stop_soon(self) -> None:
        """This process is about to stop, and waits for its requests to end: answer those that wait, in a moment, when
        the server closes connections with its answers; and take no more."""
        self.stopping = True
        asyncio.get_running_loop().call_later(_UNTIL_CLOSING, self.answer_all)

    def answer_all(self) -> None:
        """Answer every poll with nothing."""
        for one in list(self._waiting.values()):
            self._tell(one, News())

    async def run(self) -> None:
        """Wake polls, until cancelled."""
        await asyncio.gather(self._giving_out(), self._minding_sessions(), self.heartbeats.run())

    # ---- work

    async def _giving_out(self) -> None:
        with self._hub.subscribe(notifications.WORK) as news:
            while True:
                news.clear()
                self._kick_work.clear()
                try:
                    await self._give_out()
                except Exception:
                    log.exception("Work was not handed out", extra={"action": "dispatch_failed"})
                    await asyncio.sleep(_AFTER_TROUBLE)
                await aiotasks.first(
                    asyncio.ensure_future(news.wait(_LOOK_ANYWAY)),
                    asyncio.ensure_future(self._kick_work.wait()),
                )

    async def _give_out(self) -> None:
        self._left = None
        if not self._waiting:
            return
        self._look_in_hand = look = asyncio.get_running_loop().create_future()
        try:
            await self._look_and_tell(_MOST_FREE)
            if len(self._waiting) > _MOST_FREE and self._room_for(self._left or ()):
                self._left = None
                await self._look_and_tell(None)
        finally:
            self._look_in_hand = None
            look.set_result(None)

    async def _look_and_tell(self, most: int | None) -> None:
        at_once = [one for one in self._at_once if not one.news.done()]
        first = [self._waiting[place.session_id] for place in self._places.most_free(most)]
        waiting = {one.session_id: one for one in (*first, *at_once) if not one.news.done()}
        places = [one.place for one in waiting.values() if one.place is not None]
        given = await transactions.run(lambda db: self._look(db, places))
        unheard = {}
        for session_id, offers in given.offers.items():
            if (one := waiting[session_id]).news.done():
                unheard[session_id] = offers
            else:
                self._tell(one, News(offers=offers))
        for one in at_once:
            self._tell(one, News())
        self.depths = given.depths
        self._left = given.left
        if unheard:
            await transactions.run(lambda db: assignment.release(db, unheard, until=given.until))
            self._kick_work.set()

    def _look(self, db: Session, places: list[Candidate]) -> _Given:
        now, lasts = self._clock(), self._settings.cadence.offer
        depths = assignment.depths(db)
        given = assignment.Assignment({}, Counter())
        if depths and places:
            given = assignment.assign(db, places, waiting=depths, now=now, lasts=lasts)
        left = {route for route, depth in depths.items() if depth.count > given.taken[route]}
        return _Given(given.offers, now + timedelta(seconds=lasts), depths, left)

    def _room_for(self, routes: Collection[Route]) -> bool:
        return any(route in self._places for route in routes)

    def _may_have_work(self, place: Candidate) -> bool:
        """News of work wakes all who wait, so a newcomer costs a look only where something was left for want of room."""
        return self._left is None or any(place.free_slots(route) for route in self._left)

    # ---- sessions

    async def _minding_sessions(self) -> None:
        with self._hub.subscribe(notifications.AGENTS) as news:
            while True:
                self.news_of_agents += news.heard
                news.clear()
                self._kick_sessions.clear()
                try:
                    await self._mind_sessions()
                except Exception:
                    log.exception(
                        "Sessions and commands of agents were not read", extra={"action": "dispatch_failed"}
                    )
                    await asyncio.sleep(_AFTER_TROUBLE)
                await asyncio.sleep(_SPACING)
                await aiotasks.first(
                    asyncio.ensure_future(news.wait(_LOOK_ANYWAY - _SPACING)),
                    asyncio.ensure_future(self._kick_sessions.wait()),
                )

    async def _mind_sessions(self) -> None:
        waiting = [one for one in self._waiting.values() if not one.news.done()]
        if not waiting:
            return
        # every poll that waits began later than this
        since = self._clock() - timedelta(seconds=self._settings.cadence.lost_after)
        commands, ended = await transactions.run(
            lambda db: (polls.commands(db), polls.ended(db, since=since))
        )
        if not commands and not ended:
            return
        for one in waiting:
            fresh = [each for each in commands.get(one.session_id, ()) if each.id not in one.known]
            if told := News(commands=fresh, ended=one.session_id in ended):
                self._tell(one, told)

    def _hear_again(self, session_ids: Collection[UUID]) -> None:
        for session_id in session_ids:
            if (one := self._waiting.get(session_id)) is not None:
                self._tell(one, News(again=True))
