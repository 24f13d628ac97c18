"""Health of a Deployment: computed from conditions that a driver observed, never asserted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Final


class Health(str, Enum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"  # it works, but something about it does not
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    ASLEEP = "asleep"  # it hibernates, and nothing is wrong with that


class Status(str, Enum):
    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


class ConditionType(str, Enum):
    """What is observed of a Deployment. In the order in which a person looks for a cause."""

    DATABASE_READY = "DatabaseReady"
    MIGRATED = "Migrated"
    API_SERVER_READY = "ApiServerReady"
    SCHEDULER_BEATING = "SchedulerBeating"
    ROUTE_SERVED = "RouteServed"
    CONFIG_APPLIED = "ConfigApplied"  # and no other actor has changed it since
    CERTIFICATE_VALID = "CertificateValid"  # of a gateway with TLS that the driver runs, and for a while yet
    AGENT_TOKENS_VALID = "AgentTokensValid"  # those in use, and for a while yet: reported by its Airflow


REPORTED: Final = frozenset({ConditionType.AGENT_TOKENS_VALID})
"""By the Deployment's Airflow, and observed by no driver."""
ESSENTIAL: Final = (
    frozenset(ConditionType) - REPORTED - {ConditionType.CONFIG_APPLIED, ConditionType.CERTIFICATE_VALID}
)
"""A Deployment without one of these does not work. Each driver observes them."""


@dataclass(frozen=True)
class Condition:
    """One observation. A condition that is false has a sentence and a remedy."""

    type: ConditionType
    status: Status
    reason: str = ""  # one word in CamelCase, for programs
    message: str = ""
    remedy: str = ""
    since: datetime | None = None  # when the status became this
    observed_revision: int = 0

    def __post_init__(self) -> None:
        if self.status is Status.FALSE and not (self.message and self.remedy):
            raise ValueError(f"{self.type.value} is false and says neither why nor what to do")


def merged(
    before: Mapping[ConditionType, Condition], observed: Iterable[Condition], *, now: datetime
) -> dict[ConditionType, Condition]:
    """The conditions after an observation. `since` changes with the status only; what was not observed stays."""
    after = dict(before)
    for one in observed:
        old = before.get(one.type)
        since = old.since if old is not None and old.status is one.status else now
        after[one.type] = replace(one, since=since)
    return after


def health(found: Mapping[ConditionType, Status], *, asleep: bool = False) -> Health:
    """Asleep when it hibernates. Unhealthy when an essential condition is false, degraded when another one is; unknown when one is or none exists."""
    if asleep:
        return Health.ASLEEP
    if any(found.get(one) is Status.FALSE for one in ESSENTIAL):
        return Health.UNHEALTHY
    if any(found.get(one) in (None, Status.UNKNOWN) for one in ESSENTIAL):
        return Health.UNKNOWN
    return Health.DEGRADED if Status.FALSE in found.values() else Health.HEALTHY
