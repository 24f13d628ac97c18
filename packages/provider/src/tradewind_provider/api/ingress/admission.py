"""What is settled from a request's headers, before a byte of its body is read: its credential, its size, its pace.

A body is memory and time of the API server. Without this step any client that can reach the server could spend both: the
web framework reads and parses a body before it asks for the credential.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

import anyio
from starlette.types import Message, Receive, Scope

from tradewind_protocol import dags, paths, sentinel, triggers, versions
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.api import bodies, transactions
from tradewind_provider.api.auth import credentials
from tradewind_provider.api.auth.rate_limiter import AuthenticationRateLimiter, CredentialKind
from tradewind_provider.clock import Clock
from tradewind_provider.services import token_authentication

_KIB: Final = 1024
_MIB: Final = 1024 * 1024

SMALL: Final = 64 * _KIB
"""Bytes of a request to a path that is not named below."""

LARGEST: Final[tuple[tuple[str, int], ...]] = (
    # the pattern of the path below the prefix, and the bytes its message can have at its own limits of count
    (re.escape(paths.SESSIONS), 2 * _MIB),  # 20,000 outcomes that were not reported yet
    (re.escape(paths.POLL), 4 * _MIB),  # 40,000 attempts named
    (r"/attempts/finish", 6 * _MIB),  # 200 outcomes with their reasons
    (re.escape(dags.CLAIM), 4 * _MIB),  # 1,000 bundles
    (re.escape(dags.WATCH), 2 * _MIB),  # the marks of 1,000 bundles
    (re.escape(triggers.SYNC), 8 * _MIB),  # the ids of 100,000 triggers, and reports up to 4 MiB and one
    (re.escape(sentinel.REPORT), 2 * _MIB),  # 2,000 agents and 500 findings
    (r"/logs/[^/]+", 4 * _MIB),  # one piece
)
"""The other large verb is `dags/report`: it has the Deployment's limit, and is parsed in a thread."""

FIRST_SECONDS: Final = 30.0
LEAST_PACE: Final = 8 * _KIB
"""A body has `FIRST_SECONDS` and a second more for each `LEAST_PACE` bytes of it that have come: a slow link passes,
a client that holds memory by sending a byte at a time does not."""

_PATTERNS: Final = tuple((re.compile(pattern), size) for pattern, size in LARGEST)


def has_body(scope: Scope) -> bool:
    """Whether the headers announce a body."""
    if bodies.header(scope, b"transfer-encoding") is not None:
        return True
    return bodies.header(scope, b"content-length") not in (None, "0")


def largest(path: str, *, deployment: int) -> int:
    """The most bytes a request to `path` (below the prefix) may have, where the Deployment takes `deployment`."""
    if path == dags.REPORT:
        return deployment
    found = next((size for pattern, size in _PATTERNS if pattern.fullmatch(path)), SMALL)
    return min(found, deployment)


class Admission:
    """Looks at the credential of a request that has a body."""

    def __init__(
        self,
        clock: Clock,
        *,
        rate_limiter: AuthenticationRateLimiter,
        sessions: credentials.AuthenticatedSessions,
    ) -> None:
        self._clock = clock
        self._rate_limiter = rate_limiter
        self._sessions = sessions

    async def check(self, scope: Scope, path: str) -> None:
        """Returns when the credential in the headers was good within the hour, or is good now.

        The verb looks at it again, and says what it opens. Raises Refused as the verb does for a missing, malformed,
        unknown or ended credential, RATE_LIMITED, and VERSION_SKEW.
        """
        credentials.check_protocol(bodies.header(scope, versions.HEADER.lower().encode()))
        presented = credentials.bearer(bodies.header(scope, b"authorization"))
        if self._rate_limiter.was_good(presented):
            return
        now = self._clock()
        if path in (paths.SESSIONS, sentinel.REPORT):
            kinds = token_authentication.AGENTS if path == paths.SESSIONS else token_authentication.SENTINELS
            await self._rate_limiter.shown(
                CredentialKind.AGENT_TOKEN,
                presented,
                lambda: transactions.run(
                    lambda db: token_authentication.authenticate(db, presented, now=now, kinds=kinds)
                ),
            )
        else:
            await self._sessions.agent(presented, now)


def timely(receive: Receive, *, monotonic: Callable[[], float] = time.monotonic) -> Receive:
    """A `receive` that raises Refused UNAVAILABLE when a body takes longer than its size allows.

    After the body it waits as long as it has to: a long poll listens there for its client to go away.
    """
    until = monotonic() + FIRST_SECONDS
    complete = False

    async def one() -> Message:
        nonlocal until, complete
        if complete:
            return await receive()
        try:
            with anyio.fail_after(max(0.0, until - monotonic())):
                message = await receive()
        except TimeoutError:
            raise too_slow() from None
        if monotonic() > until:  # it came, and too late: what is there at once cancels no wait
            raise too_slow()
        until += len(message.get("body", b"")) / LEAST_PACE
        complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return one


def too_slow() -> Refused:
    return Refused(
        Code.UNAVAILABLE,
        f"the body of the request came slower than {LEAST_PACE} bytes a second",
        remedy="try again; something on the way holds requests back",
    )
