"""A Deployment that is not served at the moment by intent: it hibernates, or it is being upgraded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tradewind_agent.errors import PlaneUnreachable
from tradewind_protocol.errors import Code, Refused

_PREFIX: Final = "deployment_"
_MOST: Final = 300.0
_USUAL: Final = 15.0


@dataclass(frozen=True)
class Closed:
    """Why it is not served, in words, and when to ask again."""

    reason: str
    message: str
    retry_after: float


def closed_by(error: PlaneUnreachable | Refused) -> Closed | None:
    """What a gateway that answers for the Deployment says; None for every other failure."""
    if not isinstance(error, Refused) or error.code is not Code.UNAVAILABLE:
        return None
    reason, wait = error.refusal.detail.get("reason"), error.refusal.detail.get("retry_after")
    if not isinstance(reason, str) or not reason.startswith(_PREFIX):
        return None
    if not isinstance(wait, int | float) or isinstance(wait, bool):
        wait = _USUAL
    return Closed(reason, error.refusal.message, min(max(float(wait), 0.0), _MOST))
