"""Which task instance waits for each trigger that the plane has given the triggerer process."""

from __future__ import annotations

from typing import Any, Final

from tradewind_protocol.boundary import OwnTask
from tradewind_protocol.boundary.declarations import CALLBACK_TRIGGER
from tradewind_protocol.triggers import MOST_TRIGGERS

_MOST: Final = 2 * MOST_TRIGGERS


class WaitingTasks:
    """Notes the triggers as they come. The triggerer process lives no longer than the agent, so all of them have come by."""

    def __init__(self) -> None:
        self._waits: dict[int, OwnTask | None] = {}

    def created(self, trigger: dict[str, Any]) -> None:
        if not isinstance(number := trigger.get("id"), int):
            return
        self._waits.pop(number, None)
        self._waits[number] = _of(trigger)
        if len(self._waits) > _MOST:
            del self._waits[next(iter(self._waits))]

    def of(self, trigger_id: int) -> OwnTask | None:
        """The task instance; an empty one for a trigger that watches assets; None where the plane reads the event itself."""
        return self._waits.get(trigger_id, OwnTask())


def _of(trigger: dict[str, Any]) -> OwnTask | None:
    if trigger.get("classpath") == CALLBACK_TRIGGER:
        return None
    ti = trigger.get("ti")
    if not isinstance(ti, dict):
        return OwnTask()
    index = ti.get("map_index")
    return OwnTask(
        str(ti.get("id")),
        str(ti.get("dag_id")),
        str(ti.get("run_id")),
        str(ti.get("task_id")),
        index if isinstance(index, int) else -1,
    )
