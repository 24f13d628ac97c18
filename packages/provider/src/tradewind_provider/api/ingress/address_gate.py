"""Who may connect, as this API server knows it: read again every two seconds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

from sqlalchemy.orm import Session

from tradewind_protocol.errors import Code, Refused
from tradewind_provider import settings
from tradewind_provider.api import transactions
from tradewind_provider.domain.addresses import AddressGate
from tradewind_provider.services import allow_list

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 2.0


async def _from_the_table() -> AddressGate:
    here = settings.current().gate

    def read(db: Session) -> AddressGate:
        return allow_list.read(db, initial=here.allowed).gate(here)

    return await transactions.run(read)


class LiveAddressGate:
    """The gate as the table has it, at most FRESH_SECONDS old; the last one known while the database is away."""

    def __init__(
        self,
        *,
        read: Callable[[], Awaitable[AddressGate]] = _from_the_table,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._known: AddressGate | None = None
        self._until = 0.0
        self._reading: asyncio.Lock | None = None

    async def __call__(self) -> AddressGate:
        """The gate now. Raises Refused UNAVAILABLE when it was never known: no client is let in by a guess."""
        if self._known is not None and self._until > self._monotonic():
            return self._known
        self._reading = self._reading or asyncio.Lock()
        async with self._reading:
            if self._known is not None and self._until > self._monotonic():
                return self._known
            try:
                self._known = await self._read()
            except Exception as error:
                if self._known is None:
                    raise Refused(
                        Code.UNAVAILABLE,
                        "the plane cannot tell just now from where agents may connect",
                        remedy="try again; when it lasts, see that `airflow db migrate` was run",
                    ) from error
                log.warning(
                    "The allowed addresses cannot be read; the last ones known hold: %s",
                    type(error).__name__,
                    extra={"action": "allowed_addresses_stale"},
                )
            self._until = self._monotonic() + FRESH_SECONDS
            return self._known

    def expire(self) -> None:
        """Read again at the next request: called when this process has changed the list."""
        self._until = 0.0
