"""The event that the scheduler gets of an attempt that ended. Airflow acts on an event only while the task instance still
looks busy, so the question is always: busy with this attempt, or with a later one?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from tradewind_protocol.states import OutcomeKind


class SchedulerEvent(str, Enum):
    """The executor's event."""

    SUCCESS = "success"
    FAILED = "failed"
    NOTHING = "nothing"


@dataclass(frozen=True)
class SchedulerReport:
    """The event, and whether it settles the attempt. An unsettled attempt is looked at again: an event lives in the
    scheduler's memory only, and is dropped there when the row it is about is locked."""

    event: SchedulerEvent
    settled: bool


_BUSY = frozenset({"queued", "running", "restarting"})
_PARKED = frozenset({"deferred", "awaiting_input", "up_for_reschedule", "scheduled", None})
"""The attempt ended by parking its task instance (or a person cleared it): it comes back as a new attempt."""


def report(outcome: OutcomeKind, *, ti_state: str | None, superseded: bool, ours: bool) -> SchedulerReport:
    """The event for a task's attempt.

    `ti_state` is the task instance's state now (None: none, or the row is gone), `superseded` that a later attempt of
    the same task instance exists, `ours` that this scheduler queued or adopted it.
    """
    if superseded or not ours or ti_state in _PARKED:
        return SchedulerReport(SchedulerEvent.NOTHING, settled=True)
    if ti_state == "restarting":
        # cleared while it ran: that the old process is gone, however it went, is what frees it to run again
        return SchedulerReport(SchedulerEvent.SUCCESS, settled=False)
    succeeded = outcome is OutcomeKind.SUCCEEDED
    return SchedulerReport(
        SchedulerEvent.SUCCESS if succeeded else SchedulerEvent.FAILED, settled=ti_state not in _BUSY
    )
