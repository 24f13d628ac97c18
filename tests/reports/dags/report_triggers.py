"""Triggers of the scenarios: a triggerer imports them by name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import witness
from airflow.sdk import BaseHook, Variable
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async


class Says(BaseTrigger):
    """Fires the payload it was given."""

    def __init__(self, payload: Any) -> None:
        super().__init__()
        self.payload = payload

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "report_triggers.Says", {"payload": self.payload}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        self.log.info("the trigger says something")
        await asyncio.sleep(5)  # LocalExecutor loses tasks whose triggers fire at once
        yield TriggerEvent(self.payload)


class Breaks(BaseTrigger):
    """Raises, at once or instead of serializing its event."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "report_triggers.Breaks", {"how": self.how}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if self.how == "raises":
            raise ConnectionError("the trigger cannot connect")
        if self.how == "ends":
            return
        if self.how == "unserializable":
            yield TriggerEvent({"cannot be written": object()})


class Sleeps(BaseTrigger):
    """Never fires."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "report_triggers.Sleeps", {}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(600)
        yield TriggerEvent("too late")


class Reads(BaseTrigger):
    """Reads a connection and a variable, both ways that triggers do it."""

    def __init__(self, dag_id: str) -> None:
        super().__init__()
        self.dag_id = dag_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "report_triggers.Reads", {"dag_id": self.dag_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        found: dict[str, Any] = {}
        for name, read in {
            "connection": lambda: BaseHook.get_connection("masked").host,
            "variable": lambda: Variable.get("plain"),
            "absent": lambda: Variable.get("absent", default="default"),
        }.items():
            try:
                found[name] = await sync_to_async(read)()
            except Exception as problem:
                found[name] = type(problem).__name__
        try:
            found["directly"] = BaseHook.get_connection("masked").host
        except Exception as problem:
            found["directly"] = type(problem).__name__
        try:
            found["awaited"] = (await BaseHook.aget_connection("masked")).host
        except Exception as problem:
            found["awaited"] = type(problem).__name__
        witness.saw("trigger_read", dag=self.dag_id, **found)
        yield TriggerEvent(found)
