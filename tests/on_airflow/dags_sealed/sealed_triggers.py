"""Triggers whose arguments and events hold marked values."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timezone
from typing import Any

import site_journal
from airflow.triggers.base import BaseTrigger, TaskSuccessEvent, TriggerEvent

MOMENT = datetime(2026, 11, 29, 7, tzinfo=timezone.utc)


class Repeats(BaseTrigger):
    """Fires what it was given."""

    def __init__(self, note: str) -> None:
        super().__init__()
        self.note = note

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "sealed_triggers.Repeats", {"note": self.note}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        site_journal.write("trigger_has", note=self.note)
        yield TriggerEvent({"note": self.note, "said": "SEALED-EVENT-payload", "at": MOMENT})


class Ends(Repeats):
    """Ends its task with an XCom."""

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "sealed_triggers.Ends", {"note": self.note}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TaskSuccessEvent(xcoms={"return_value": {"note": "SEALED-XCOM-of-a-trigger"}})
