"""The key ring that an agent seals and opens with now, read again when it changes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import structlog

from tradewind_agent.errors import AgentError, KeyRingUnavailable
from tradewind_agent.kits import aiotime
from tradewind_agent.state import key_ring
from tradewind_agent.state.key_ring import KeyRing
from tradewind_agent.state.reread import Reread
from tradewind_protocol.boundary import KEY_ID

log = structlog.get_logger(__name__)

_MOST_MISSED: Final = 10
_FIRST_TRIES: Final = (1.0, 2.0, 4.0, 8.0)
_SOONEST: Final = 30.0
"""Seconds between two looks, however many keys are missed: the plane can name keys that no ring has."""


class RingInForce:
    """The key ring of `file`, or the one that `fetch` gets, once at the start and then every so many seconds; none without either.

    A change that cannot be read, and a ring that is gone, leave the old one in force and are a `problem`. Raises SettingsWrong when
    the first one of a file cannot be read: an agent without it does not start.
    """

    def __init__(
        self,
        file: Path | None = None,
        *,
        now: Callable[[], float],
        fetch: Callable[[], Awaitable[KeyRing]] | None = None,
        every: float = 300.0,
    ) -> None:
        self._broken = ""  # why a change was not taken
        self._missed: dict[str, None] = {}  # ids of keys that were asked for and are not there
        self._fetch, self._every = fetch, every
        self._fetched: KeyRing | None = None
        self._wanted = asyncio.Event()  # a key is missed: look before the time
        self._file = (
            None
            if file is None
            else Reread(file, key_ring.read, now=now, taken=self._taken, refused=self._refused)
        )

    def __call__(self) -> KeyRing | None:
        """The key ring now."""
        return self._fetched if self._file is None else self._file()

    async def fetch_first(self) -> None:
        """Fetch the first ring, if it is to be fetched. Raises SettingsWrong, KeyRingUnavailable."""
        if self._fetch is None:
            return
        for wait in (*_FIRST_TRIES, None):
            try:
                self._fetched = await self._fetch()
                return
            except KeyRingUnavailable as unavailable:
                if wait is None:
                    raise
                log.warning("The key ring is not there yet", action="key_ring_waits", reason=str(unavailable))
                await asyncio.sleep(wait)

    async def run(self) -> None:
        """Fetch the ring again from time to time, and soon after a key was missed. Never returns."""
        while True:
            self._wanted.clear()
            await asyncio.sleep(min(_SOONEST, self._every))
            await aiotime.sleep(self._every - _SOONEST, self._wanted)
            await self.fetch_again()

    async def fetch_again(self) -> None:
        """Fetch the ring once more, if it is to be fetched."""
        if self._fetch is None:
            return
        try:
            found = await self._fetch()
        except AgentError as error:
            self._refused(error.message)
            return
        if self._broken or found != self._fetched:
            self._taken(found)
        self._fetched = found

    def missed(self, key_id: str) -> None:
        """Something on the plane is sealed with a key that is not in the ring: a `problem` until it is."""
        if len(self._missed) < _MOST_MISSED and re.fullmatch(KEY_ID, key_id):
            self._missed[key_id] = None
        self._wanted.set()

    @property
    def problem(self) -> str:
        """What is wrong with the ring, for people; empty when nothing is."""
        ring = self()
        here = ring.keys if ring is not None else {}
        missing = [key_id for key_id in self._missed if key_id not in here]
        missing_keys = (
            f"values on the plane are sealed with key {', '.join(missing)}, which this agent does not have"
        )
        return "; ".join(each for each in (self._broken, missing_keys if missing else "") if each)

    def _taken(self, ring: KeyRing) -> None:
        self._broken = ""
        log.info("The key ring was read", action="key_ring_read", current=ring.current)

    def _refused(self, why: str) -> None:
        if f": {why}" not in self._broken:
            log.error("A changed key ring cannot be read", action="key_ring_broken", reason=why)
        self._broken = f"the key ring before stays in force: {why}"
