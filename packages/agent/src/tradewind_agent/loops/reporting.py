"""The reporting loop: what is in the outbox reaches the plane, in order for each attempt, until it is empty."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from tradewind_agent.errors import AgentError, Fenced, RefusedForGood
from tradewind_agent.kits.backoff import Backoff
from tradewind_agent.outbox import Entry, Outbox
from tradewind_agent.plane import retry
from tradewind_agent.plane.client import PlaneClient
from tradewind_protocol import paths
from tradewind_protocol.errors import Code, Refused

log = structlog.get_logger(__name__)

_SIDE_BY_SIDE = 8
_MOST_TRIES = 50
"""Answers of "I failed" after which an entry is given up: one that breaks the plane must not keep the ones behind it.
An outage does not count, however long."""


class Reporting:
    """Delivers entries, oldest first for each attempt, several attempts side by side."""

    def __init__(self, *, outbox: Outbox, plane: PlaneClient, on_delivered: Callable[[UUID], None]) -> None:
        self.delivered = 0
        self.dropped = 0
        self._outbox = outbox
        self._plane = plane
        self._on_delivered = on_delivered
        self._backoff = Backoff()

    async def run(self) -> None:
        """Never returns. Raises RefusedForGood or Fenced when the agent has to end; what is left stays on disk."""
        while True:
            await self._outbox.wait()
            await self.flush()

    async def flush(self) -> None:
        """Return when the outbox is empty, however long the plane is away."""
        while entries := self._outbox.due():
            if all(await self._side_by_side(entries)):
                self._backoff.after_success()
                continue
            cadence = self._plane.cadence
            await asyncio.sleep(
                self._backoff.after_failure(first=cadence.retry_first, most=cadence.retry_most)
            )
            # No knocking at a door that is known to be shut: the poll loop is the one that finds out.
            await self._plane.wait_reachable()

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
            if retry.verdict(refused) is not retry.Verdict.FINAL:
                self._outbox.tried(entry.seq)
                if refused.code is not Code.INTERNAL or entry.tries + 1 < _MOST_TRIES:
                    return False
            self._give_up(entry, refused)
        else:
            self.delivered += 1
        self._settle(entry)
        return True

    def _settle(self, entry: Entry) -> None:
        self._outbox.settled(entry.seq)
        if entry.kind == "finish":
            self._on_delivered(entry.attempt_id)

    def _give_up(self, entry: Entry, error: Refused) -> None:
        self.dropped += 1
        # An attempt the plane has given to somebody else, or taken back, is told about once and forgotten.
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


_NOT_OURS = frozenset(
    {Code.ATTEMPT_UNKNOWN, Code.ATTEMPT_NOT_YOURS, Code.LEASE_LOST, Code.NOT_FOUND, Code.CONFLICT}
)
