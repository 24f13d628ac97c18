"""Counts tries of agents that were refused, and writes them down every few seconds.

A client that is refused decides neither how much memory this takes nor how busy the database is: at most MOST kinds of tries are
counted between two writes, and further ones of these only raise a number.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from tradewind_protocol.errors import FATAL_FOR_AGENT, Code
from tradewind_provider.api import transactions
from tradewind_provider.api.refusals import Seen
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.services import refused_tries
from tradewind_provider.services.refused_tries import Tally

log = logging.getLogger(__name__)

MOST: Final = 50
EVERY: Final = 2.0
"""Seconds between two writes."""

OF_CONNECTING: Final = FATAL_FOR_AGENT | {Code.ADDRESS_NOT_ALLOWED, Code.RATE_LIMITED}
"""Refusals that keep an agent from connecting at all."""
_CREDENTIAL: Final = re.compile(r"tw_[a-z]+_[^\s/'\"]*")
_VERSION: Final = re.compile(r"\d{1,4}\.\d{1,4}")


async def _write(tallies: Sequence[Tally]) -> None:
    now = utc_now()
    await transactions.run(lambda db: refused_tries.record(db, tallies, now=now))


class RefusedTries:
    """Of one API server."""

    def __init__(
        self,
        *,
        clock: Clock = utc_now,
        every: float = EVERY,
        write: Callable[[Sequence[Tally]], Awaitable[None]] = _write,
    ) -> None:
        self._clock = clock
        self._every = every
        self._write = write
        self._pending: dict[tuple[str, str, str], Tally] = {}
        self._writing: asyncio.Task[None] | None = None

    def note(self, seen: Seen, *, source: str, endpoint: str, path: str, version: str = "") -> None:
        """Count a refusal, if it says something of a connection. Never raises."""
        code = Code.NOT_FOUND if seen.no_such_path else seen.refusal.error
        if code not in OF_CONNECTING and not seen.no_such_path:
            return
        source = source or "unknown"
        key = (source, endpoint, code.value)
        before = self._pending.get(key)
        if before is None and len(self._pending) >= MOST:
            return
        self._pending[key] = Tally(
            source=source,
            endpoint=endpoint,
            code=code.value,
            message=without_credentials(seen.refusal.message),
            path=without_credentials(path),
            version=version if _VERSION.fullmatch(version) else "",
            tries=(before.tries if before else 0) + 1,
            last_at=self._clock(),
        )
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._soon(), name="refused tries")

    async def _soon(self) -> None:
        await asyncio.sleep(self._every)
        await self.flush()

    async def flush(self) -> None:
        """Write down what was counted."""
        tallies, self._pending = [replace(one) for one in self._pending.values()], {}
        if not tallies:
            return
        try:
            await self._write(tallies)
        except Exception as error:
            log.warning(
                "Refused tries of agents could not be written down: %s",
                type(error).__name__,
                extra={"action": "refused_tries_not_written"},
            )


def without_credentials(text: str) -> str:
    """A text of a request without what may be a token: a person may have put one into a path."""
    return _CREDENTIAL.sub("tw_…", text)
