"""Who asks: the session token of a request, looked up at most every two seconds.

Two seconds is how long a revoked, fenced or lost agent can go on: no longer, because every path of an agent passes here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from tradewind_protocol import versions
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.api import transactions
from tradewind_provider.api.auth.rate_limiter import AuthenticationRateLimiter, CredentialKind
from tradewind_provider.services import credential_hashes, session_authentication
from tradewind_provider.services.agents import Agent

PROTOCOL_HEADER = versions.HEADER
FRESH_SECONDS = 2.0
_MOST = 10_000  # entries; beyond it everything is looked up again


@dataclass(frozen=True)
class _Known:
    agent: Agent
    until: float  # of the monotonic clock


class AuthenticatedSessions:
    """Agents authenticated a moment ago, by the hash of their token. Refusals are never remembered."""

    def __init__(
        self, rate_limiter: AuthenticationRateLimiter, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate_limiter = rate_limiter
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}

    async def agent(self, session_token: str, now: datetime) -> Agent:
        """As `session_authentication.authenticate`, with an answer at most FRESH_SECONDS old. Raises RATE_LIMITED as well."""
        key = credential_hashes.hashed(session_token)
        moment = self._monotonic()
        known = self._known.get(key)
        if known is not None and known.until > moment:
            return known.agent
        self._known.pop(key, None)
        agent = await self._rate_limiter.shown(
            CredentialKind.SESSION_TOKEN,
            session_token,
            lambda: transactions.run(lambda db: session_authentication.authenticate(db, session_token, now)),
        )
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[key] = _Known(agent, moment + FRESH_SECONDS)
        return agent

    def forget(self) -> None:
        """Look every credential up again: called when a session of this process ended."""
        self._known.clear()


def bearer(authorization: str | None) -> str:
    """The token of an Authorization header. Raises Refused TOKEN_MISSING or TOKEN_MALFORMED."""
    if not authorization:
        raise Refused(
            Code.TOKEN_MISSING,
            "the request has no Authorization header",
            remedy="send 'Authorization: Bearer <token>'; a proxy on the way may have removed it",
        )
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(
            Code.TOKEN_MALFORMED,
            "the Authorization header is not 'Bearer <token>'",
            remedy="send it in that form",
        )
    return token.strip()


def check_protocol(header: str | None) -> None:
    """Raises Refused VERSION_SKEW when the agent's protocol is too far from ours, MALFORMED when it is no version.
    No header passes: people look at the API with curl."""
    if header is None:
        return
    try:
        theirs = versions.Version.parse(header)
    except ValueError as error:
        raise Refused(Code.MALFORMED, f"header {versions.HEADER}: {error}") from error
    if not versions.compatible(versions.PROTOCOL, theirs):
        raise Refused(Code.VERSION_SKEW, versions.refusal(agent=theirs, plane=versions.PROTOCOL))
