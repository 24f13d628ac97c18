"""Tasks of a queue that one site serves, which wait in triggers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import site_journal
from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent


class SaysWhere(BaseTrigger):
    """Writes into the journal of the site it runs at."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "queued.SaysWhere", {"number": self.number}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        site_journal.write("trigger_ran", number=self.number)
        yield TriggerEvent(self.number)


class Waits(BaseOperator):
    def __init__(self, number: int, **more: Any) -> None:
        super().__init__(**more)
        self.number = number

    def execute(self, context: Any) -> None:
        self.defer(trigger=SaysWhere(self.number), method_name="resume")

    def resume(self, context: Any, event: Any) -> None:
        site_journal.write("resumed", number=self.number)


with DAG("queued", schedule=None):
    Waits.partial(task_id="waits", queue="afar").expand(number=[1, 2, 3, 4, 5, 6])
