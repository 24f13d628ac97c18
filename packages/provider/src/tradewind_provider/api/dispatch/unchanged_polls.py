"""Polls that say nothing new: remembered, so that a thousand agents with nothing to do cost one statement a second.

A poll that says what the one before it said is neither authenticated nor looked at by itself. Its agent waits for work
at once, and within a second its beat is written down together with those of all others, by the statement that also
finds whose session has ended. Nothing is given to a session that the database has not just called open: offers are made
to open sessions only, and commands of an ended one are closed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from tradewind_protocol.polling import Poll
from tradewind_provider.api import transactions
from tradewind_provider.clock import Clock
from tradewind_provider.domain.placement import Candidate
from tradewind_provider.services import client_address, credential_hashes, polls
from tradewind_provider.services.agents import Agent

log = logging.getLogger(__name__)

MOST_OFTEN: Final = 1.0
"""Seconds between two writings at the default cadence, of which it is a twenty-fifth."""

_MOST: Final = 20_000


@dataclass
class RememberedPoll:
    """What one session said last, and what followed from it: nothing."""

    agent: Agent
    said: Poll
    place: Candidate | None
    origin: str
    until: datetime
    news: int = 0  # how often there had been news of agents when its last poll was answered

    @property
    def beat(self) -> polls.UnchangedPoll:
        named = frozenset((ref.attempt_id, ref.epoch) for ref in (*self.said.holding, *self.said.running))
        return polls.UnchangedPoll(self.agent.session_id, named)


class UnchangedPolls:
    """Of one API server, by the hash of the session token that was shown."""

    def __init__(self) -> None:
        self._known: dict[str, RememberedPoll] = {}
        self._keys: dict[UUID, str] = {}

    def find(self, session_token: str, now: datetime) -> RememberedPoll | None:
        """The remembered poll of the session with this token, when it came from where the request in hand does."""
        found = self._known.get(credential_hashes.hashed(session_token))
        if found is None or found.until <= now or found.origin != client_address.origin():
            return None
        return found

    def remember(
        self, session_token: str, agent: Agent, said: Poll, heard: polls.PollResult, *, news: int
    ) -> None:
        """After a poll was heard in full, before work is placed. What cannot be remembered is forgotten."""
        self.forget([agent.session_id])
        if heard.same_until is None or agent.good_until is None:
            return
        if len(self._known) >= _MOST:
            self._known.clear()
            self._keys.clear()
        key = self._keys[agent.session_id] = credential_hashes.hashed(session_token)
        self._known[key] = RememberedPoll(
            agent,
            said.model_copy(update={"hold": None}),
            heard.candidate,
            client_address.origin(),
            min(heard.same_until, agent.good_until),
            news,
        )

    def forget(self, session_ids: Collection[UUID]) -> None:
        """Their next polls are heard in full."""
        for one in session_ids:
            if (key := self._keys.pop(one, None)) is not None:
                self._known.pop(key, None)

    def forget_all(self) -> None:
        self._known.clear()
        self._keys.clear()


class HeartbeatWriter:
    """Writes the heartbeats of unchanged polls, all of one interval in one transaction."""

    def __init__(
        self,
        *,
        poll: float,
        clock: Clock,
        unchanged: UnchangedPolls,
        hear_again: Callable[[Collection[UUID]], None],
    ) -> None:
        # small beside the fifth of a poll after which an agent counts as unreachable
        self.every = min(MOST_OFTEN, poll / 25)
        """Seconds between two writings."""
        self._clock = clock
        self._unchanged = unchanged
        self._hear_again = hear_again  # answers those that wait so that they are heard in full
        self._beats: dict[UUID, polls.UnchangedPoll] = {}
        self._some = asyncio.Event()

    def say(self, beat: polls.UnchangedPoll) -> None:
        self._beats[beat.session_id] = beat
        self._some.set()

    async def run(self) -> None:
        """Write, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self.every)
            await self.write()

    async def write(self) -> None:
        """Write down what was said. When the database is away, those who said it are told so: they are heard in full,
        which fails, and may ask an API server that is better off."""
        self._some.clear()
        beats, self._beats = list(self._beats.values()), {}
        if not beats:
            return
        now = self._clock()
        try:
            again = await transactions.run(lambda db: polls.record_unchanged(db, beats, now=now))
        except Exception as error:
            log.warning(
                "%d heartbeats were not stored: %s",
                len(beats),
                type(error).__name__,
                extra={"action": "beats_not_written"},
            )
            self._unchanged.forget_all()
            again = {one.session_id for one in beats}
        if again:
            self._unchanged.forget(again)
            self._hear_again(again)
