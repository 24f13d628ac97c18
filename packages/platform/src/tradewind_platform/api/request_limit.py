"""Answers only so many requests of each credential in a second: one script that runs wild must not stop the others."""

from __future__ import annotations

import logging
import math
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tradewind_platform.domain.request_rates import RequestRates, kind_of
from tradewind_platform.domain.roles import Principal
from tradewind_platform.security.attempt_limiter import AttemptLimiter
from tradewind_platform.security.request_limiter import RequestLimiter
from tradewind_protocol.errors import Code, Refused

log = logging.getLogger(__name__)

SHARED: Final = 4
"""How many times the rates of an API token a session has, whose pages ask for several things at once and may be open in several
tabs, and a SCIM token, by which an identity provider pushes everybody at once."""


class RequestLimit:
    """Of one process of the platform. Requests of Deployments and of controllers are not limited: none of them passes here."""

    def __init__(self, rates: RequestRates) -> None:
        self._rates = rates
        self._limiter = RequestLimiter()
        self._logged = AttemptLimiter(1, timedelta(minutes=1))

    def admit(self, caller: Principal, method: str, now: datetime, *, session: UUID | None = None) -> None:
        """Count a request of a caller that is known. Raises Refused RATE_LIMITED, with `retry_after`, for one too many.

        `session`: of a user with a browser. The audit trail has nothing of a refused one: nothing was done, and an event for each
        would be what the limit is against.
        """
        rates = self._rates if caller.kind == "token" else self._rates.times(SHARED)
        key, kind = session or caller.id, kind_of(method)
        wait = self._limiter.take(key, kind, rates, now)
        if wait is None:
            return
        most = f"{rates.of(kind):g} {kind.value}s a second"
        if self._logged.take(key, now) is None:
            log.warning(
                "%s sends more requests than are answered: %s",
                caller.name,
                most,
                extra={"action": "requests_limited"},
            )
        seconds = math.ceil(wait.total_seconds())
        raise Refused(
            Code.RATE_LIMITED,
            f"{caller.name} sends more requests than are answered: {most}",
            remedy=f"Send it again in {seconds} s, as Retry-After says, and fewer at once.",
            retry_after=seconds,
        )
