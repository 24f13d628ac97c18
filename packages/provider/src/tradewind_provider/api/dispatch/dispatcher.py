"""One per API server: lets polls wait, and offers work to all of them in one transaction when there is some."""

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

_LOOK_ANYWAY = 5.0  # seconds: a notification may be lost, work is not
_AFTER_TROUBLE = 1.0
_LONGEST_LOOK = 10.0
_MOST_FREE = 64  # candidates of each queue that are looked at first: there is seldom work for more
_OVERTIME = 1.0  # seconds a poll whose time is up waits for the look in hand
_UNTIL_CLOSING = 0.5
_SPACING = 0.1  # seconds between two looks at sessions: a thousand that open are a few looks


@dataclass
class Delivery:
    """What a waiting poll is answered with."""

    offers: list[Offer] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    ended: bool = False  # its session ended: it is to authenticate again, and be refused
    handle_in_full: bool = False  # it was taken for an unchanged poll, and is none

    def __bool__(self) -> bool:
        return bool(self.offers or self.commands or self.ended or self.handle_in_full)


@dataclass(eq=False, slots=True)
class _Waiting:
    session_id: UUID
    candidate: Candidate | None
    known: frozenset[UUID]  # commands that its answer has already
    once: bool  # answered after one look, with something or with nothing
    delivery: asyncio.Future[Delivery]


@dataclass(frozen=True)
class _Look:
    offers: Mapping[UUID, list[Offer]]
    until: datetime  # how long they are leased
    depths: Mapping[Route, QueueDepth]
    left: Collection[Route]  # for which work still waits


class Dispatcher:
    """Polls wait in `wait`; `run` wakes them. All of it on one event loop."""

    def __init__(self, settings: Settings, *, clock: Clock, hub: notifications.Hub) -> None:
        self._settings = settings
        self._clock = clock
        self._hub = hub
        self._waiting: dict[UUID, _Waiting] = {}
        self._candidates = CandidateIndex()
        self._at_once: set[_Waiting] = set()
        self._look_for_work = asyncio.Event()
        self._look_at_sessions = asyncio.Event()
        # routes for which work was left waiting; None: not looked at since there was a notification
        self._left: Collection[Route] | None = None
        self._look_in_hand: asyncio.Future[None] | None = None
        self.stopping = False
        self.depths: Mapping[Route, QueueDepth] = {}
        """What waits for each route, as of the last look."""
        self.agent_changes = 0
        """Notifications about agents so far. A caller notes it before it reads a session's commands, and passes it to `wait`."""
        self.unchanged_polls = UnchangedPolls()
        self.delivered = RecentlyDelivered()
        self.heartbeats = HeartbeatWriter(
            poll=settings.cadence.poll,
            clock=clock,
            unchanged=self.unchanged_polls,
            answer=self._answer_for_handling,
        )

    @property
    def polls(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def wait(
        self,
        session_id: UUID,
        candidate: Candidate | None,
        *,
        known: frozenset[UUID],
        timeout: float,
        agent_changes: int,
    ) -> Delivery:
        """What there is for a session: work, commands that are not `known`, its end; nothing after `timeout` seconds.
        With a timeout of 0 there is one look, which takes as long as it takes. `agent_changes`: as it was before the
        session's commands were read.

        A newer poll of the same session takes over from an older one, which is answered with nothing. When this is
        cancelled, nothing is offered to the session any more, and what was being offered at that moment is released.
        """
        one = _Waiting(session_id, candidate, known, timeout <= 0, asyncio.get_running_loop().create_future())
        if (older := self._waiting.get(session_id)) is not None:
            self._deliver(older, Delivery())
            self._remove(older)
        self._add(one)
        if one.once or (candidate is not None and self._may_have_work(candidate)):
            self._look_for_work.set()
        if agent_changes != self.agent_changes and not one.once:
            self._look_at_sessions.set()
        try:
            return await asyncio.wait_for(
                asyncio.shield(one.delivery), timeout if timeout > 0 else _LONGEST_LOOK
            )
        except asyncio.TimeoutError:
            if self._look_in_hand is not None:
                # Polls that wait longest come first, so the polls whose time is up are often those that this look is for.
                await asyncio.wait({self._look_in_hand}, timeout=_OVERTIME)
            return one.delivery.result() if one.delivery.done() else Delivery()
        finally:
            if self._waiting.get(session_id) is one:
                self._remove(one)
            if not one.delivery.done():
                one.delivery.cancel()

    def _add(self, one: _Waiting) -> None:
        self._waiting[one.session_id] = one
        if one.candidate is not None:
            self._candidates.add(one.candidate)
        if one.once:
            self._at_once.add(one)

    def _deliver(self, one: _Waiting, delivery: Delivery) -> None:
        """Answer a poll that has no answer yet; it gets nothing more."""
        if not one.delivery.done():
            one.delivery.set_result(delivery)
            if one.candidate is not None:
                self._candidates.remove(one.candidate)

    def _remove(self, one: _Waiting) -> None:
        del self._waiting[one.session_id]
        if one.candidate is not None:
            self._candidates.remove(one.candidate)
        self._at_once.discard(one)

    def stop_soon(self) -> None:
        """This process is about to stop, and waits for its requests to end: answer those that wait, in a moment, when
        the server closes connections with its answers; and take no more."""
        self.stopping = True
        asyncio.get_running_loop().call_later(_UNTIL_CLOSING, self.answer_all)

    def answer_all(self) -> None:
        """Answer every poll with nothing."""
        for one in list(self._waiting.values()):
            self._deliver(one, Delivery())

    async def run(self) -> None:
        """Answer polls, until cancelled."""
        await asyncio.gather(self._offer_forever(), self._watch_sessions(), self.heartbeats.run())

    # ---- work

    async def _offer_forever(self) -> None:
        with self._hub.subscribe(notifications.WORK) as subscription:
            while True:
                subscription.clear()
                self._look_for_work.clear()
                try:
                    await self._offer()
                except Exception:
                    log.exception("Work was not handed out", extra={"action": "dispatch_failed"})
                    await asyncio.sleep(_AFTER_TROUBLE)
                await aiotasks.first(
                    asyncio.ensure_future(subscription.wait(_LOOK_ANYWAY)),
                    asyncio.ensure_future(self._look_for_work.wait()),
                )

    async def _offer(self) -> None:
        self._left = None
        if not self._waiting:
            return
        self._look_in_hand = look = asyncio.get_running_loop().create_future()
        try:
            await self._offer_to(_MOST_FREE)
            if len(self._waiting) > _MOST_FREE and self._has_room_for(self._left or ()):
                self._left = None
                await self._offer_to(None)
        finally:
            self._look_in_hand = None
            look.set_result(None)

    async def _offer_to(self, most: int | None) -> None:
        """Offer work to the `most` candidates of each queue with most free slots, and answer the polls that wait for one look."""
        at_once = [one for one in self._at_once if not one.delivery.done()]
        first = [self._waiting[one.session_id] for one in self._candidates.most_free(most)]
        waiting = {one.session_id: one for one in (*first, *at_once) if not one.delivery.done()}
        candidates = [one.candidate for one in waiting.values() if one.candidate is not None]
        look = await transactions.run(lambda db: self._look(db, candidates))
        undelivered = {}
        for session_id, offers in look.offers.items():
            if (one := waiting[session_id]).delivery.done():
                undelivered[session_id] = offers
            else:
                self._deliver(one, Delivery(offers=offers))
        for one in at_once:
            self._deliver(one, Delivery())
        self.depths = look.depths
        self._left = look.left
        if undelivered:
            await transactions.run(lambda db: assignment.release(db, undelivered, until=look.until))
            self._look_for_work.set()

    def _look(self, db: Session, candidates: list[Candidate]) -> _Look:
        now, lasts = self._clock(), self._settings.cadence.offer
        depths = assignment.depths(db)
        assigned = assignment.Assignment({}, Counter())
        if depths and candidates:
            assigned = assignment.assign(db, candidates, waiting=depths, now=now, lasts=lasts)
        left = {route for route, depth in depths.items() if depth.count > assigned.taken[route]}
        return _Look(assigned.offers, now + timedelta(seconds=lasts), depths, left)

    def _has_room_for(self, routes: Collection[Route]) -> bool:
        return any(route in self._candidates for route in routes)

    def _may_have_work(self, candidate: Candidate) -> bool:
        """A notification of work wakes all polls that wait, so a new poll costs a look only where work was left for want of room."""
        return self._left is None or any(candidate.free_slots(route) for route in self._left)

    # ---- sessions

    async def _watch_sessions(self) -> None:
        with self._hub.subscribe(notifications.AGENTS) as subscription:
            while True:
                self.agent_changes += subscription.notified
                subscription.clear()
                self._look_at_sessions.clear()
                try:
                    await self._deliver_to_sessions()
                except Exception:
                    log.exception(
                        "Sessions and commands of agents were not read", extra={"action": "dispatch_failed"}
                    )
                    await asyncio.sleep(_AFTER_TROUBLE)
                await asyncio.sleep(_SPACING)
                await aiotasks.first(
                    asyncio.ensure_future(subscription.wait(_LOOK_ANYWAY - _SPACING)),
                    asyncio.ensure_future(self._look_at_sessions.wait()),
                )

    async def _deliver_to_sessions(self) -> None:
        """Commands, and the end of sessions."""
        waiting = [one for one in self._waiting.values() if not one.delivery.done()]
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
            if delivery := Delivery(commands=fresh, ended=one.session_id in ended):
                self._deliver(one, delivery)

    def _answer_for_handling(self, session_ids: Collection[UUID]) -> None:
        for session_id in session_ids:
            if (one := self._waiting.get(session_id)) is not None:
                self._deliver(one, Delivery(handle_in_full=True))
