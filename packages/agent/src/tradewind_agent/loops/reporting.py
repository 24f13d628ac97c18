"""The reporting loop: what is in the outbox reaches the plane, in order for each attempt, until it is empty."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from tradewind_agent.errors import AgentError, Fenced, RefusedForGood
from tradewind_agent.kits.backoff import Backoff
from tradewind_agent.plane import retry
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.state.outbox import Entry, Outbox
from tradewind_protocol import paths
from tradewind_protocol.attempts import Ended, Outcome
from tradewind_protocol.errors import Code, Refused

log = structlog.get_logger(__name__)

_SIDE_BY_SIDE = 8
_LINGER = 0.1
"""Seconds an outcome waits for others to go with it. Nothing waits for outcomes: the state of a task went to the plane
before its process ended, and a slot is free once the outcome is on disk."""
_MOST_TRIES = 50
"""Answers of "I failed" after which an entry is given up: one that breaks the plane must not keep the ones behind it.
An outage does not count, however long."""


class Reporting:
    """Delivers entries, oldest first for each attempt, several attempts side by side."""

    def __init__(self, *, outbox: Outbox, plane: PlaneClient, on_delivered: Callable[[UUID], None]) -> None:
        self.delivered = 0
        self.dropped = 0
        self._takes_several = True  # outcomes in one request
        self._outbox = outbox
        self._plane = plane
        self._on_delivered = on_delivered
        self._backoff = Backoff()

    async def run(self) -> None:
        """Never returns. Raises RefusedForGood or Fenced when the agent has to end; what is left stays on disk."""
        while True:
            await self._outbox.wait()
            await asyncio.sleep(_LINGER)
            await self.flush()

    async def flush(self) -> None:
        """Return when the outbox is empty, however long the plane is away."""
        while entries := self._outbox.due():
            if await self._together(entries):
                self._backoff.after_success()
                continue
            cadence = self._plane.cadence
            await asyncio.sleep(
                self._backoff.after_failure(first=cadence.retry_first, most=cadence.retry_most)
            )
            # Skip the request while the plane is known to be unreachable: the poll loop finds out when it is back.
            await self._plane.wait_reachable()

    async def _together(self, entries: list[Entry]) -> bool:
        """Send them, outcomes in one request, the rest and what was refused before each in its own. True when all are
        settled."""
        # Oldest first of each attempt, so an outcome that is in here waits for nothing.
        outcomes = [(each, ending) for each in entries if (ending := _ending(each)) is not None]
        if len(outcomes) == 1 or not self._takes_several:
            outcomes = []
        together = {each.seq for each, _ in outcomes}
        rest = [each for each in entries if each.seq not in together]
        done = [await self._deliver_outcomes(outcomes)] if outcomes else []
        return all(done + await self._side_by_side(rest))

    async def _deliver_outcomes(self, outcomes: list[tuple[Entry, Ended]]) -> bool:
        """True when all of them are settled, False when some have to be sent again."""
        entries = [each for each, _ in outcomes]
        try:
            taken = await self._plane.finish([ending for _, ending in outcomes])
        except (RefusedForGood, Fenced):
            raise
        except AgentError:
            return False
        except Refused as refused:
            if refused.code is Code.NOT_FOUND:  # an older plane
                self._takes_several = False
            for each in entries:  # each for itself from here on: one of them may be what breaks the plane
                self._outbox.tried(each.seq)
            return False
        refusals = {one.attempt_id: Refused.as_told(one.refusal) for one in taken.refused}
        settled = [self._settled(each, refusals.get(each.attempt_id)) for each in entries]
        return all(settled)

    async def _side_by_side(self, entries: list[Entry]) -> list[bool]:
        slots = asyncio.Semaphore(_SIDE_BY_SIDE)

        async def one(entry: Entry) -> bool:
            async with slots:
                return await self._deliver(entry)

        results = await asyncio.gather(*(one(entry) for entry in entries), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [bool(result) for result in results]

    async def _deliver(self, entry: Entry) -> bool:
        """True when the entry is settled, False when it has to be sent again."""
        headers = {**entry.headers, paths.ATTEMPT_HEADER: f"{entry.attempt_id}:{entry.epoch}"}
        try:
            await self._plane.deliver(entry.method, entry.path, headers, entry.body)
        except (RefusedForGood, Fenced):
            raise
        except AgentError:  # no plane, or a token file that is being replaced
            return False
        except Refused as refused:
            return self._settled(entry, refused)
        return self._settled(entry, None)

    def _settled(self, entry: Entry, refused: Refused | None) -> bool:
        """Act on the plane's answer. False when the entry has to be sent again."""
        if refused is None:
            self.delivered += 1
        else:
            if retry.verdict(refused) is not retry.Verdict.FINAL:
                self._outbox.tried(entry.seq)
                if refused.code is not Code.INTERNAL or entry.tries + 1 < _MOST_TRIES:
                    return False
            self._give_up(entry, refused)
        self._outbox.settled(entry.seq)
        if entry.kind == "finish":
            self._on_delivered(entry.attempt_id)
        return True

    def _give_up(self, entry: Entry, error: Refused) -> None:
        self.dropped += 1
        # An attempt that the plane has given to another agent, or taken back, is reported once and forgotten.
        expected = error.code in _NOT_OURS
        (log.info if expected else log.error)(
            "Entry of the outbox dropped",
            action="outbox_dropped",
            kind=entry.kind,
            attempt=str(entry.attempt_id),
            epoch=entry.epoch,
            path=entry.path,
            reason=str(error),
        )


def _ending(entry: Entry) -> Ended | None:
    """The outcome in an entry; None for what is something else, was refused before, or cannot be read here."""
    if entry.kind != "finish" or entry.tries:
        return None
    try:
        return Ended(attempt_id=entry.attempt_id, outcome=Outcome.model_validate_json(entry.body))
    except ValueError:
        return None


_NOT_OURS = frozenset(
    {Code.ATTEMPT_UNKNOWN, Code.ATTEMPT_NOT_YOURS, Code.LEASE_LOST, Code.NOT_FOUND, Code.CONFLICT}
)
