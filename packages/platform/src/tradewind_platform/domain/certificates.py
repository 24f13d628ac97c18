"""When a certificate is near its end, and the sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tradewind_platform.domain.health import Condition, ConditionType, Status

AHEAD: Final = timedelta(days=30)
URGENT: Final = timedelta(days=10)


@dataclass(frozen=True)
class Validity:
    """The time for which a certificate is good."""

    begins: datetime
    ends: datetime

    @property
    def reported_from(self) -> datetime:
        """30 days before its end; for one of less than 180 days, in the last sixth of its time: what renews certificates by itself has
        done so before."""
        return self.ends - min(AHEAD, (self.ends - self.begins) / 6)

    @property
    def urgent_from(self) -> datetime:
        """10 days before its end; for one of less than 120 days, in the last twelfth of its time."""
        return self.ends - min(URGENT, (self.ends - self.begins) / 12)


def condition(host: str, validity: Validity, now: datetime, *, remedy: str, revision: int) -> Condition:
    """Of the certificate that `host` is served with. True, with a sentence, when its end is near; false when that is urgent, or past."""
    if now < validity.reported_from:
        return Condition(ConditionType.CERTIFICATE_VALID, Status.TRUE, observed_revision=revision)
    at = f"{validity.ends:%Y-%m-%d %H:%M} UTC"
    over = validity.ends <= now
    return Condition(
        ConditionType.CERTIFICATE_VALID,
        Status.TRUE if now < validity.urgent_from else Status.FALSE,
        "Expired" if over else "ExpiresSoon",
        f"The certificate of {host} {'ended' if over else 'ends'} at {at}. Agents refuse to connect {'since' if over else 'from'} then.",
        remedy,
        observed_revision=revision,
    )
