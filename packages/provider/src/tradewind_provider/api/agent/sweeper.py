"""The loop that does what time alone decides. Every API server has one; they do not get in each other's way."""

from __future__ import annotations

import asyncio
import logging
import random
from datetime import timedelta

from sqlalchemy.orm import Session

from tradewind_provider.api import transactions
from tradewind_provider.api.auth.credentials import AuthenticatedSessions
from tradewind_provider.clock import Clock
from tradewind_provider.domain.agents import Attention, HeartbeatLimits
from tradewind_provider.services import agent_states, canaries, reaper, sentinels, tokens, work_routes
from tradewind_provider.settings import Settings

log = logging.getLogger(__name__)

_FORGET_EVERY = 600.0
_GAPS = 4  # sweeps missed before this process counts as having been away


class Sweeper:
    """Looks every `settings.sweep` seconds. It gives agents up only for a silence it has listened to itself."""

    def __init__(self, settings: Settings, *, clock: Clock, sessions: AuthenticatedSessions) -> None:
        self._sessions = sessions
        self._settings = settings
        self._clock = clock
        self._beats = HeartbeatLimits(settings.cadence.poll, settings.cadence.lost_after)
        self._attention = Attention.begins(clock())
        self._forget_at = clock()
        self._stopping = False

    def stop_soon(self) -> None:
        """Sweep no more: a server that stops refuses polls, so what it takes for silence may be its own doing."""
        self._stopping = True

    async def run(self) -> None:
        """Sweep until cancelled; trouble is logged and does not end it."""
        while True:
            # a little earlier or later each time, so that several servers do not sweep in step
            await asyncio.sleep(self._settings.sweep * random.uniform(0.8, 1.2))
            try:
                await self.once()
            except Exception:
                log.exception("A sweep failed; the next one tries again", extra={"action": "sweep_failed"})

    async def once(self) -> None:
        """One sweep; none after `stop_soon`."""
        if self._stopping:
            return
        now = self._clock()
        longest_gap = max(self._settings.sweep * _GAPS, 10.0)
        self._attention = self._attention.at(now, longest_gap=longest_gap)
        lost = await transactions.run(self._sweep)
        if lost:
            self._sessions.forget()
            log.warning("Agents lost: %s", ", ".join(lost), extra={"action": "agents_lost"})
        await transactions.run(
            lambda db: canaries.sweep(
                db, interval=self._settings.canary_interval, beats=self._beats, now=self._clock()
            )
        )
        if now >= self._forget_at:
            await transactions.run(lambda db: reaper.forget(db, self._settings, now=now))
            # set only now: a failed attempt is made again with the next sweep
            self._forget_at = now + timedelta(seconds=_FORGET_EVERY)

    def _sweep(self, db: Session) -> list[str]:
        now, since = self._attention.last, self._attention.since
        reaper.expire_offers(db, now=now)
        work_routes.settle(db)
        tokens.end_expired(db, now=now)
        lost = reaper.lose_agents(db, self._settings, listening_since=since, now=now)
        reaper.lose_missing(db, self._settings, now=now)
        agent_states.notice_silence(db, self._beats, listening_since=since, now=now)
        sentinels.notice_silence(db, listening_since=since, now=now)
        away = (now - since).total_seconds() < self._settings.cadence.lost_after
        reaper.keep_tasks_alive(db, self._settings, plane_away=away, now=now)
        return lost
