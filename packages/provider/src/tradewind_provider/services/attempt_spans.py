"""The plane's spans of an attempt. They are made from what its row says, by whichever process is there at the time.

One of the attempt as a whole, below Airflow's `task_run.…`; below it what the plane does. The agent's spans are below
it too: an offer carries its `traceparent`.
"""

from __future__ import annotations

from datetime import datetime

from tradewind_protocol import states
from tradewind_protocol.attempts import WorkKind
from tradewind_provider.airflow import traces
from tradewind_provider.store.tables import Attempt


def traceparent(attempt: Attempt) -> str:
    """Of the span of the attempt as a whole; empty when it is not traced."""
    return traces.below(attempt.traceparent, _whole(attempt)) if attempt.traceparent else ""


def enqueued(attempt: Attempt, *, now: datetime) -> None:
    """The scheduler has written it into its queue."""
    _step(attempt, "enqueue", attempt.created_at, now)


def offered(attempt: Attempt, epoch: int, *, now: datetime) -> None:
    """It has waited, and is offered now."""
    _step(attempt, "queued", attempt.handed_back_at or attempt.created_at, now, epoch=epoch)


def granted(attempt: Attempt, epoch: int, *, offered_at: datetime, now: datetime) -> None:
    """Its agent has confirmed the offer."""
    _step(attempt, "offered", offered_at, now, epoch=epoch)


def reported(attempt: Attempt, *, now: datetime) -> None:
    """It has ended, and its scheduler knows."""
    if not attempt.traceparent or attempt.ended_at is None:
        return
    how = failed = attempt.state
    left = {"tradewind.task_state": attempt.task_state} if attempt.task_state else {}
    if attempt.outcome:
        outcome = states.OutcomeKind(attempt.outcome)
        how = states.process_end(outcome, exit_code=attempt.exit_code, signal=attempt.signal).value
        failed = ""
        if states.failed(outcome, attempt.task_state):
            failed = (
                attempt.task_state if outcome is states.OutcomeKind.SUCCEEDED and attempt.task_state else how
            )
    if attempt.granted_at is not None:
        _step(attempt, "lease", attempt.granted_at, attempt.ended_at, epoch=attempt.epoch)
    _step(attempt, "report", attempt.ended_at, now)
    traces.record(
        "tradewind.attempt",
        parent=attempt.traceparent,
        key=_whole(attempt),
        start=attempt.created_at,
        end=attempt.ended_at,
        attributes={
            **_attributes(attempt),
            "tradewind.epoch": attempt.epoch,
            "tradewind.process": how,
            **left,
        },
        failed=failed,
    )


def _step(attempt: Attempt, step: str, start: datetime, end: datetime, *, epoch: int | None = None) -> None:
    if not attempt.traceparent:
        return
    numbered = {} if epoch is None else {"tradewind.epoch": epoch}
    traces.record(
        f"tradewind.{step}",
        parent=traceparent(attempt),
        key=f"{attempt.id} {step} {epoch}",
        start=start,
        end=end,
        attributes={**_attributes(attempt), **numbered},
    )


def _whole(attempt: Attempt) -> str:
    return f"{attempt.id} attempt"


def _attributes(attempt: Attempt) -> dict[str, str | int]:
    """Names and numbers only: never a workload, never the words of an error."""
    found: dict[str, str | int] = {
        "tradewind.attempt_id": str(attempt.id),
        "tradewind.queue": attempt.queue,
    }
    if attempt.kind != WorkKind.TASK.value:
        return {**found, "tradewind.kind": attempt.kind}
    return {
        **found,
        "airflow.dag_id": attempt.dag_id or "",
        "airflow.task_id": attempt.task_id or "",
        "airflow.dag_run.run_id": attempt.run_id or "",
        "airflow.task_instance.try_number": attempt.try_number,
        "airflow.task_instance.map_index": attempt.map_index,
    }
