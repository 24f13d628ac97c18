"""The spans of one attempt: from its offer to the plane's having heard how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tradewind_agent.traces import spans
from tradewind_protocol.attempts import Offer, Outcome, WorkKind
from tradewind_protocol.states import OutcomeKind, failed, process_end

Record = Callable[[spans.Span], None]


class AttemptTrace:
    """Told of each step as it happens; does nothing when `record` is None or the plane does not trace this work.

    Names and numbers only: neither the workload nor the words of an error are ever in a span.
    """

    def __init__(
        self, offer: Offer, *, environment: str, agent: str, record: Record | None, now: Callable[[], float]
    ) -> None:
        self._record = record
        self._now = now
        self._offer = offer
        self._above = spans.place_of(offer.traceparent) if record is not None else None
        if self._above is None:
            return
        self._whole, self._run = self._above.below(), self._above.below()
        self._attributes: spans.Attributes = {
            "tradewind.attempt_id": str(offer.attempt_id),
            "tradewind.epoch": offer.epoch,
            "tradewind.queue": offer.queue,
            "tradewind.environment": environment,
            "tradewind.agent.name": agent,
            **_airflows(offer),
        }
        self._received = self._since = now()
        self._handed_over = 0.0

    def confirming(self) -> None:
        """The grant is asked for."""
        if self._above is not None:
            self._since = self._now()

    def confirmed(self) -> None:
        """The plane has granted it."""
        if self._above is not None:
            self._say("tradewind.agent.confirm", self._whole.below(), self._whole, self._since)

    def dropped(self) -> None:
        """It will not run here."""
        if self._above is not None:
            self._say(
                "tradewind.agent.attempt",
                self._whole,
                self._above,
                self._received,
                **{"tradewind.process": "dropped"},
            )

    def handed_over(self) -> dict[str, Any]:
        """The attempt goes to its worker process now. Returns the workload, in which our span is the parent of Airflow's."""
        workload = self._offer.workload
        if self._above is None:
            return workload
        self._handed_over = self._now()
        ti = workload.get("ti")
        if not isinstance(ti, dict):
            return workload
        carrier = ti.get("context_carrier")
        carried = carrier if isinstance(carrier, dict) else {}
        return {
            **workload,
            "ti": {**ti, "context_carrier": {**carried, "traceparent": self._run.traceparent}},
        }

    def forked(self) -> None:
        """Its own process exists."""
        if self._above is not None:
            self._say("tradewind.agent.fork", self._run.below(), self._run, self._handed_over)

    def ended(self, outcome: Outcome) -> None:
        """Its process group is gone."""
        if self._above is not None and self._handed_over:
            self._say("tradewind.agent.run", self._run, self._whole, self._handed_over, **_how(outcome))

    def recorded(self, outcome: Outcome) -> None:
        """The outcome is on disk; the slot is free."""
        if self._above is not None:
            self._say("tradewind.agent.attempt", self._whole, self._above, self._received, **_how(outcome))
            self._since = self._now()

    def delivered(self) -> None:
        """The plane has heard everything."""
        if self._above is not None:
            self._say("tradewind.agent.deliver", self._whole.below(), self._whole, self._since)

    def _say(
        self,
        name: str,
        place: spans.SpanContext,
        parent: spans.SpanContext,
        start: float,
        *,
        failed_as: str = "",
        **more: spans.Value,
    ) -> None:
        assert self._record is not None
        attributes = {**self._attributes, **more}
        self._record(spans.Span(name, place, parent, start, self._now(), attributes, failed_as))


def _how(outcome: Outcome) -> dict[str, Any]:
    process = process_end(outcome.kind, exit_code=outcome.exit_code, signal=outcome.signal).value
    found: dict[str, Any] = {"tradewind.process": process}
    if outcome.task_state:
        found["tradewind.task_state"] = outcome.task_state
    if outcome.kind is not OutcomeKind.SUCCEEDED:
        found["failed_as"] = process
    elif failed(outcome.kind, outcome.task_state):
        found["failed_as"] = outcome.task_state
    if outcome.exit_code is not None:
        found["tradewind.exit_code"] = outcome.exit_code
    if outcome.signal:
        found["tradewind.signal"] = outcome.signal
    return found


def _airflows(offer: Offer) -> dict[str, spans.Value]:
    """What Airflow names the work, by the names Airflow's own spans have for it."""
    ti = offer.workload.get("ti") if offer.kind is WorkKind.TASK else None
    if not isinstance(ti, dict):
        return {"tradewind.kind": offer.kind.value}
    named = {
        "airflow.dag_id": ti.get("dag_id"),
        "airflow.task_id": ti.get("task_id"),
        "airflow.dag_run.run_id": ti.get("run_id"),
        "airflow.task_instance.try_number": ti.get("try_number"),
        "airflow.task_instance.map_index": ti.get("map_index"),
    }
    return {key: value for key, value in named.items() if isinstance(value, (str, int))}
