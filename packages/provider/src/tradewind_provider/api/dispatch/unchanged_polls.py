"""Polls that say nothing new: remembered, so that a thousand agents with nothing to do cost one statement a second.

A poll that says what the one before it said is neither authenticated nor looked at by itself. Its agent waits for work
at once, and within a second its heartbeat is written down together with those of all others, by the statement that also
finds whose session has ended. Nothing is offered to a session that the database has not just called open: offers are made
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
    """The last poll of one session, which changed nothing and was owed nothing."""

    agent: Agent
    poll: Poll
    candidate: Candidate | None
    origin: str
    until: datetime
    agent_changes: int = 0  # `Dispatcher.agent_changes` when its last poll was answered

    @property
    def unchanged(self) -> polls.UnchangedPoll:
        named = frozenset((ref.attempt_id, ref.epoch) for ref in (*self.poll.holding, *self.poll.running))
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
        self, session_token: str, agent: Agent, poll: Poll, result: polls.PollResult, *, agent_changes: int
    ) -> None:
        """Remember a poll that was handled in full, before work is placed. What cannot be remembered is forgotten."""
        self.forget([agent.session_id])
        if result.same_until is None or agent.good_until is None:
            return
        if len(self._known) >= _MOST:
            self._known.clear()
            self._keys.clear()
        key = self._keys[agent.session_id] = credential_hashes.hashed(session_token)
        self._known[key] = RememberedPoll(
            agent,
            poll.model_copy(update={"hold": None}),
            result.candidate,
            client_address.origin(),
            min(result.same_until, agent.good_until),
            agent_changes,
        )

    def forget(self, session_ids: Collection[UUID]) -> None:
        """Handle the next polls of these sessions in full."""
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
        answer: Callable[[Collection[UUID]], None],
    ) -> None:
        # small beside the fifth of a poll after which an agent counts as unreachable
        self.every = min(MOST_OFTEN, poll / 25)
        """Seconds between two writings."""
        self._clock = clock
        self._unchanged = unchanged
        self._answer = answer  # ends the wait of polls that have to be handled in full
        self._polls: dict[UUID, polls.UnchangedPoll] = {}
        self._some = asyncio.Event()

    def add(self, poll: polls.UnchangedPoll) -> None:
        """Write the heartbeat of a poll with the next writing."""
        self._polls[poll.session_id] = poll
        self._some.set()

    async def run(self) -> None:
        """Write, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self.every)
            await self.write()

    async def write(self) -> None:
        """Write the heartbeats down. While the database is away their polls are handled in full, which fails: the agents may turn
        to another API server."""
        self._some.clear()
        unchanged, self._polls = list(self._polls.values()), {}
        if not unchanged:
            return
        now = self._clock()
        try:
            again = await transactions.run(lambda db: polls.record_unchanged(db, unchanged, now=now))
        except Exception as error:
            log.warning(
                "%d heartbeats were not stored: %s",
                len(unchanged),
                type(error).__name__,
                extra={"action": "beats_not_written"},
            )
            self._unchanged.forget_all()
            again = {one.session_id for one in unchanged}
        if again:
            self._unchanged.forget(again)
            self._answer(again)
