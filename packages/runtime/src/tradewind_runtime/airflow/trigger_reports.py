"""What triggers fire and how they fail, as it may leave the site, on its way to the plane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airflow.executors.workloads.task import TaskInstanceDTO
from airflow.triggers.base import BaseTaskEndEvent, TriggerEvent
from airflow.triggers.callback import PAYLOAD_BODY_KEY, PAYLOAD_STATUS_KEY

from tradewind_protocol import boundary, values
from tradewind_protocol import triggers as wire
from tradewind_runtime.airflow import secrets_masker
from tradewind_runtime.triggers.assigned_triggers import AssignedTriggers
from tradewind_runtime.triggers.outbox import Outbox


class TriggerReports:
    """Puts reports into the outbox. `strict`: XCom values stay in the site's storage. `masks`: what triggers say is masked,
    and tracebacks lose the lines of code they quote."""

    def __init__(
        self, assigned: AssignedTriggers, outbox: Outbox, *, strict: bool = True, masks: bool = True
    ) -> None:
        self._assigned = assigned
        self._outbox = outbox
        self._strict = strict
        self._masks = masks

    def event(
        self,
        trigger_id: int,
        event: TriggerEvent,
        *,
        ti: TaskInstanceDTO | None,
        of_callback: bool,
        persist_seq: int | None,
    ) -> None:
        """Report what a trigger fired, or, when that cannot be sent, that the trigger failed. `ti`: the task that waits for it.
        `persist_seq`: its number in one of Airflow's shared streams."""

        def store(key: str, value: Any) -> Any:
            return stored_at_site(ti, key, value) if self._strict and ti is not None else value

        try:
            ready = packed(self._without_secrets(event, of_callback=of_callback), store)
        except Exception as error:  # values of a task's author: whatever their classes raise
            self.failure(
                trigger_id, [f"The trigger's event cannot be sent: {type(error).__name__}: {error}\n"]
            )
            return
        size = len(ready.model_dump_json())
        if size > wire.LARGEST_EVENT:
            text = f"The trigger's event has {size} bytes; {wire.LARGEST_EVENT} are allowed. Put the data into storage "
            self.failure(trigger_id, [text + "and fire where it is.\n"])
            return
        self._outbox.put_event(trigger_id, ready, persist_seq=persist_seq)

    def failure(self, trigger_id: int, traceback: Sequence[str] | None) -> None:
        """Report that a trigger ended without an event, and do not take it again for a moment."""
        if traceback is not None and self._masks:
            text = secrets_masker.masked("".join(traceback))
            traceback = boundary.without_source(text).splitlines(keepends=True)
        reported = (
            None if traceback is None else tuple(line[:4000] for line in traceback[-wire.MOST_TRACEBACK :])
        )
        self._assigned.rest(trigger_id)
        self._outbox.put_failure(trigger_id, wire.Failure(traceback=reported))

    def _without_secrets(self, event: TriggerEvent, *, of_callback: bool) -> TriggerEvent:
        """The event without secrets that Airflow knows, and of a callback without what it returned."""
        if not self._masks or isinstance(event, BaseTaskEndEvent):
            return event
        payload = event.payload
        if of_callback and isinstance(payload, dict):
            body = payload.get(PAYLOAD_BODY_KEY)
            failed = payload.get(PAYLOAD_STATUS_KEY) == "failed"
            payload = {
                **payload,
                PAYLOAD_BODY_KEY: boundary.without_quoted_source(str(body)) if failed else None,
            }
        return TriggerEvent(secrets_masker.masked(payload))


def packed(event: TriggerEvent, store: Callable[[str, Any], Any]) -> wire.Event:
    """The event as it travels. `store(key, value)` is what to send of an XCom. Raises TypeError or ValueError for
    what cannot."""
    if isinstance(event, BaseTaskEndEvent):
        xcoms = {key: values.pack(store(key, value)) for key, value in (event.xcoms or {}).items()}
        return wire.Event(end_state=wire.EndState(event.task_instance_state.value), xcoms=xcoms or None)
    return wire.Event(payload=values.pack(event.payload))


def stored_at_site(ti: TaskInstanceDTO, key: str, value: Any) -> Any:
    """Put an XCom value where the site's XCom backend puts it; what that wants the plane to know of it."""
    from airflow.sdk.execution_time.xcom import XCom

    return XCom.serialize_value(
        value, key=key, dag_id=ti.dag_id, task_id=ti.task_id, run_id=ti.run_id, map_index=ti.map_index
    )
