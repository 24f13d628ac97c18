"""One per API server: lets polls wait, and gives work to all of them in one transaction when there is news."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from tradewind_protocol.attempts import Offer
from tradewind_protocol.polling import Command
from tradewind_provider.api import transactions
from tradewind_provider.clock import Clock
from tradewind_provider.domain.placement import Place, Seats
from tradewind_provider.domain.queues import Depth
from tradewind_provider.services import aiotasks, assigning, polls, waking
from tradewind_provider.settings import Settings

log = logging.getLogger(__name__)

_LOOK_ANYWAY = 5.0  # seconds: news may be lost, work is not
_AFTER_TROUBLE = 1.0
_LONGEST_LOOK = 10.0
_UNTIL_CLOSING = 0.5


@dataclass
class News:
    """What a waiting poll is woken with."""

    offers: list[Offer] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)
    ended: bool = False  # its session ended: it is to authenticate again, and be refused

    def __bool__(self) -> bool:
        return bool(self.offers or self.commands or self.ended)


@dataclass(eq=False)
class _Waiting:
    session_id: UUID
    place: Place | None
    known: frozenset[UUID]  # commands it was told a moment ago
    once: bool  # to be answered after one look, news or not
    news: asyncio.Future[News]


@dataclass(frozen=True)
class _Round:
    offers: Mapping[UUID, list[Offer]]
    commands: Mapping[UUID, list[Command]]
    ended: set[UUID]
    depths: Mapping[str, Depth]


class Dispatcher:
    """Polls wait in `wait`; `run` wakes them. All of it on one event loop."""

    def __init__(self, settings: Settings, *, clock: Clock, hub: waking.Hub) -> None:
        self._settings = settings
        self._clock = clock
        self._hub = hub
        self._waiting: dict[UUID, _Waiting] = {}
        self._kick = asyncio.Event()
        self.stopping = False
        self.depths: Mapping[str, Depth] = {}
        """What waits in each queue, as of the last look."""

    @property
    def polls(self) -> int:
        """How many wait."""
        return len(self._waiting)

    async def wait(
        self, session_id: UUID, place: Place | None, *, known: frozenset[UUID], timeout: float
    ) -> News:
        """News for a session: work for its place, commands it does not know, its end; nothing after `timeout` seconds.
        With a timeout of 0 there is one look, which takes as long as it takes.

        A newer poll of the same session takes over from an older one, which is answered with nothing. When this is
        cancelled, nothing is offered to the session any more, and what was being offered at that moment is released.
        """
        one = _Waiting(session_id, place, known, timeout <= 0, asyncio.get_running_loop().create_future())
        if (older := self._waiting.get(session_id)) is not None and not older.news.done():
            older.news.set_result(News())
        self._waiting[session_id] = one
        self._kick.set()
        try:
            return await asyncio.wait_for(asyncio.shield(one.news), timeout if timeout > 0 else _LONGEST_LOOK)
        except asyncio.TimeoutError:
            return one.news.result() if one.news.done() else News()
        finally:
            if self._waiting.get(session_id) is one:
                del self._waiting[session_id]
            if not one.news.done():
                one.news.cancel()

    def stop_soon(self) -> None:
        """This process is about to stop, and waits for its requests to end: answer those that wait, in a moment, when
        the server closes connections with its answers; and take no more."""
        self.stopping = True
        asyncio.get_running_loop().call_later(_UNTIL_CLOSING, self.answer_all)

    def answer_all(self) -> None:
        """Answer every poll with nothing."""
        for one in list(self._waiting.values()):
            if not one.news.done():
                one.news.set_result(News())

    async def run(self) -> None:
        """Wake polls, until cancelled."""
        with self._hub.listen(waking.WORK, waking.AGENTS) as news:
            while True:
                news.clear()
                self._kick.clear()
                try:
                    await self._once()
                except Exception:
                    log.exception("Work was not given out", extra={"action": "dispatch_failed"})
                    await asyncio.sleep(_AFTER_TROUBLE)
                await aiotasks.first(
                    asyncio.ensure_future(news.wait(_LOOK_ANYWAY)), asyncio.ensure_future(self._kick.wait())
                )

    async def _once(self) -> None:
        waiting = [one for one in self._waiting.values() if not one.news.done()]
        if not waiting:
            return
        places = [one.place for one in waiting if one.place is not None]
        ids = [one.session_id for one in waiting]
        found = await transactions.run(lambda db: self._look(db, ids, places))
        self.depths = found.depths
        unheard = {}
        for one in waiting:
            offers = found.offers.get(one.session_id, [])
            fresh = [each for each in found.commands.get(one.session_id, ()) if each.id not in one.known]
            told = News(offers=offers, commands=fresh, ended=one.session_id in found.ended)
            if one.news.done():
                if offers:
                    unheard[one.session_id] = offers
            elif told or one.once:
                one.news.set_result(told)
        if unheard:
            await transactions.run(lambda db: assigning.release(db, unheard))
            self._kick.set()

    def _look(self, db: Session, ids: list[UUID], places: list[Place]) -> _Round:
        now = self._clock()
        depths = assigning.depths(db)
        offers: dict[UUID, list[Offer]] = {}
        if depths and places:
            # a second try of this transaction starts from the same room
            offers = assigning.assign(
                db,
                [Place(one.session_id, _copies(one), one.most) for one in places],
                waiting=depths,
                now=now,
                lasts=self._settings.cadence.offer,
            )
        return _Round(offers, polls.commands(db, ids), polls.ended(db, ids), depths)


def _copies(place: Place) -> list[Seats]:
    return [Seats(seat.queues, seat.free) for seat in place.seats]
