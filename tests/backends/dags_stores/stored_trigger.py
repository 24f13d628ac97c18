"""A trigger that reads what its task has stored, and stores a value itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent


class ReadsXCom(BaseTrigger):
    def __init__(self, dag_id: str, run_id: str, task_id: str) -> None:
        super().__init__()
        self.names = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "stored_trigger.ReadsXCom", dict(self.names)

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow.sdk.execution_time.xcom import XCom
        from asgiref.sync import sync_to_async

        self.log.info("the trigger reads")
        value = await sync_to_async(XCom.get_one)(key="note", **self.names)
        await sync_to_async(XCom.set)(key="of_the_trigger", value=("of", ["the trigger"]), **self.names)
        yield TriggerEvent({"value": value})
