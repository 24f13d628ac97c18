"""Showing a credential: how often a client may show a wrong one, and where that is reported."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Final, TypeVar

from tradewind_protocol import ids
from tradewind_protocol.errors import Code, Refused
from tradewind_provider import settings
from tradewind_provider.api.auth.refusal_events import RefusalEvents
from tradewind_provider.domain.token_buckets import TokenBuckets
from tradewind_provider.services import client_address, credential_hashes

T = TypeVar("T")

_GOOD_SECONDS: Final = 3600.0
_MOST_GOOD: Final = 20_000
_WRONG: Final = frozenset(
    {
        Code.TOKEN_MALFORMED,
        Code.TOKEN_UNKNOWN,
        Code.TOKEN_EXPIRED,
        Code.TOKEN_DELETED,
        Code.WRONG_DEPLOYMENT,
        Code.SESSION_UNKNOWN,
    }
)


class CredentialKind(Enum):
    """What is shown."""

    AGENT_TOKEN = 1
    # a plane restored from a backup does not know any of its agents' sessions, and all of them may come from one address
    SESSION_TOKEN = 10

    @property
    def share(self) -> int:
        """How many times as many failures are suffered."""
        return self.value


class AuthenticationRateLimiter:
    """Refuses every client of an address that has shown too many wrong credentials, except to those whose credential was
    good within the hour: one broken agent must not shut out the others behind its proxy."""

    def __init__(
        self,
        events: RefusalEvents,
        *,
        per_minute: float | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._events = events
        self._per_minute = per_minute
        self._monotonic = monotonic
        self._buckets: dict[CredentialKind, TokenBuckets] = {}
        self._good: dict[str, float] = {}

    async def shown(self, credential: CredentialKind, token: str, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` makes of the token. Raises what it raises, and Refused RATE_LIMITED instead of asking it."""
        source, digest, moment = client_address.origin(), credential_hashes.hashed(token), self._monotonic()
        buckets = self._of(credential)
        wait = buckets.wait(source, moment)
        if wait > 0 and self._good.get(digest, moment) <= moment:
            refused = Refused(
                Code.RATE_LIMITED,
                f"too many wrong credentials came from {source or 'this address'}",
                remedy="correct the token, and wait",
                retry_after=math.ceil(wait),
            )
            await self._events.note(refused, source=source)
            raise refused
        try:
            found = await work()
        except Refused as refused:
            if refused.code in _WRONG:
                self._good.pop(digest, None)
                buckets.failed(source, moment)
                await self._events.note(refused, source=source, shown=ids.shown(token))
            raise
        if len(self._good) >= _MOST_GOOD:
            self._good.clear()
        self._good[digest] = moment + _GOOD_SECONDS
        return found

    def was_good(self, token: str) -> bool:
        """Whether this token was good within the hour, and not wrong since."""
        return self._good.get(credential_hashes.hashed(token), 0.0) > self._monotonic()

    def _of(self, credential: CredentialKind) -> TokenBuckets:
        if credential not in self._buckets:
            allowed = self._per_minute
            if allowed is None:
                allowed = settings.current().failures_per_minute
            allowed *= credential.share
            self._buckets[credential] = TokenBuckets(burst=max(1.0, allowed), per_second=allowed / 60)
        return self._buckets[credential]
