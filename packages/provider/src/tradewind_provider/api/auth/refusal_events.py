"""Refused agents in the audit trail: each kind told apart, and none often enough to fill it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from tradewind_protocol.errors import Code, Refused
from tradewind_provider.api import transactions
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.services import audit

log = logging.getLogger(__name__)

NOTED: Final = frozenset(
    {
        Code.ADDRESS_NOT_ALLOWED,
        Code.TOKEN_MALFORMED,
        Code.TOKEN_UNKNOWN,
        Code.TOKEN_EXPIRED,
        Code.TOKEN_DELETED,
        Code.WRONG_DEPLOYMENT,
        Code.RATE_LIMITED,
    }
)
"""What an administrator of a plane wants to know of."""

AGAIN_SECONDS: Final = 600.0
MOST_A_MINUTE: Final = 30


class RefusalEvents:
    """Writes an event for a refusal unless the same one was written in the last ten minutes, and at most 30 a minute:
    a client with wrong credentials decides neither how large the table gets nor how busy the database is."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic, clock: Clock = utc_now) -> None:
        self._monotonic = monotonic
        self._clock = clock
        self._noted: dict[tuple[str, str, str], float] = {}
        self._recent: list[float] = []

    async def note(self, refused: Refused, *, source: str, shown: str = "") -> None:
        """`shown`: what may be shown of the token. Never raises: a refusal is a refusal, written down or not."""
        if refused.code not in NOTED:
            return
        token = refused.refusal.detail.get("token")
        subject = f"token:{token or shown}" if token or shown else f"address:{source or 'unknown'}"
        key, moment = (refused.code.value, source, subject), self._monotonic()
        if self._noted.get(key, moment) > moment:
            return
        self._recent = [one for one in self._recent if one > moment - 60]
        if len(self._recent) >= MOST_A_MINUTE:
            return
        self._recent.append(moment)
        self._noted = {one: until for one, until in self._noted.items() if until > moment}
        self._noted[key] = moment + AGAIN_SECONDS
        log.warning(
            "Agent refused: %s", refused, extra={"action": "agent_refused", "code": refused.code.value}
        )
        now = self._clock()
        try:
            await transactions.run(
                lambda db: audit.record(
                    db,
                    action="agent_refused",
                    actor=audit.PLANE,
                    subject=subject,
                    reason=refused.refusal.message,
                    now=now,
                    detail={"code": refused.code.value},
                )
            )
        except Exception as error:
            log.warning(
                "A refusal could not be written into the audit trail: %s",
                type(error).__name__,
                extra={"action": "refusal_not_noted"},
            )
