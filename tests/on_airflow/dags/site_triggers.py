"""Triggers of the site's own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import site_journal
from airflow.sdk.bases.notifier import BaseNotifier
from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent


async def deadline_missed_on_the_triggerer(**kwargs: Any) -> None:
    """A callback that runs in the triggerer has to be in a module: Airflow imports it there by name."""
    site_journal.write("async_deadline_callback", text=kwargs.get("text"))


class ReadsXCom(BaseTrigger):
    """Reads an XCom of its task and fires its length."""

    def __init__(self, dag_id: str, run_id: str, task_id: str) -> None:
        super().__init__()
        self.dag_id, self.run_id, self.task_id = dag_id, run_id, task_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "site_triggers.ReadsXCom", {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "task_id": self.task_id,
        }

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow.sdk.execution_time.xcom import XCom
        from asgiref.sync import sync_to_async

        value = await sync_to_async(XCom.get_one)(
            key="note", dag_id=self.dag_id, task_id=self.task_id, run_id=self.run_id
        )
        yield TriggerEvent({"length": len(value)})


class TellsItsField(BaseTrigger):
    """Fires what Airflow has made of its field."""

    def __init__(self, moment: str) -> None:
        super().__init__()
        self.moment = moment

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "site_triggers.TellsItsField", {"moment": self.moment}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(self.moment)


class Tells(BaseNotifier):
    """A notifier with a template."""

    template_fields = ("text",)

    def __init__(self, text: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    def notify(self, context: Any) -> None:
        site_journal.write("notified", text=self.text)

    async def async_notify(self, context: Any) -> None:
        site_journal.write("notified_on_the_triggerer", text=self.text)


class FileWatch(BaseEventTrigger):
    """Fires when a file appears, and takes it away."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "site_triggers.FileWatch", {"path": self.path}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while True:
            if os.path.exists(self.path):
                os.unlink(self.path)
                yield TriggerEvent({"appeared": True})
            await asyncio.sleep(0.5)


class SaysAPassword(BaseTrigger):
    """Reads a connection of the site and lets its password slip: into its event, or into its error."""

    def __init__(self, breaks: bool) -> None:
        super().__init__()
        self.breaks = breaks

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "site_triggers.SaysAPassword", {"breaks": self.breaks}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow.sdk import BaseHook
        from asgiref.sync import sync_to_async

        connection = await sync_to_async(BaseHook.get_connection)("site_http")
        if not self.breaks:
            yield TriggerEvent({"said": f"in with {connection.password}", "rows": 3})
        raise RuntimeError(f"no sign-in with {connection.password}" + "SECRET-LINE-of-a-trigger"[:0])


async def breaks_late(**kwargs: Any) -> None:
    raise RuntimeError("as planned" + "SECRET-LINE-of-a-callback"[:0])
