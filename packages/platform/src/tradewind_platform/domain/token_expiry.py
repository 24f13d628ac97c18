"""When agent tokens of a Deployment are near their end, and the sentence for people."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tradewind_platform.domain.health import Condition, ConditionType, Status

AHEAD: Final = timedelta(days=30)
URGENT: Final = timedelta(days=10)
_FAR: Final = timedelta(days=60)
_LONGEST: Final = timedelta(days=20 * 365)


@dataclass(frozen=True)
class TokenExpiry:
    """An agent token that agents use."""

    name: str
    issued_at: datetime
    expires_at: datetime

    @property
    def reported_from(self) -> datetime:
        """30 days before its end; for a token of less than 90 days, when it has lived two thirds of them: one that a script renews in
        time is not reported."""
        return self.expires_at - min(AHEAD, self._life / 3)

    @property
    def urgent_from(self) -> datetime:
        """10 days before its end; for a token of less than 60 days, when it has a sixth of them left."""
        return self.expires_at - min(URGENT, self._life / 6)

    @property
    def _life(self) -> timedelta:
        return max(self.expires_at - self.issued_at, timedelta())


def plausible(tokens: Iterable[TokenExpiry], now: datetime) -> list[TokenExpiry]:
    """Without those that no API server means: what it tells is computed with whenever a list of Deployments is shown."""
    return [
        one for one in tokens if abs(one.expires_at - now) <= _FAR and abs(one.issued_at - now) <= _LONGEST
    ]


def condition(deployment: str, tokens: Iterable[TokenExpiry], now: datetime) -> Condition | None:
    """None while no token is near its end. True, with a sentence, when one is; false when that is urgent, or past."""
    near = sorted((one for one in tokens if one.reported_from <= now), key=lambda one: one.expires_at)
    if not near:
        return None
    urgent = [one for one in near if one.urgent_from <= now]
    first = (urgent or near)[0]
    return Condition(
        ConditionType.AGENT_TOKENS_VALID,
        Status.FALSE if urgent else Status.TRUE,
        "Expired" if first.expires_at <= now else "ExpiresSoon",
        _sentence(first, len(near) - 1, now),
        f"`tradewind --deployment {deployment} tokens rotate {shlex.quote(first.name)} --expires-in-days 90`, and give its agents the new "
        "value. Delete a token that no agent uses any more.",
        since=min(one.urgent_from for one in urgent) if urgent else first.reported_from,
    )


def _sentence(first: TokenExpiry, others: int, now: datetime) -> str:
    at = f"{first.expires_at:%Y-%m-%d %H:%M} UTC"
    more = "" if others == 0 else f" {others} more {'is' if others == 1 else 'are'} near the end."
    if first.expires_at <= now:
        return f"The agent token {first.name!r} expired at {at}: agents that have it are refused.{more}"
    return f"The agent token {first.name!r} expires at {at}. Its agents are refused then.{more}"
