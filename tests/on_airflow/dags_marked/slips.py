"""Triggers and callbacks that let slip what they should not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import site_journal
from airflow.sdk import DAG, AsyncCallback, BaseOperator, DeadlineAlert, DeadlineReference
from site_triggers import SaysAPassword, breaks_late


class Defers(BaseOperator):
    def __init__(self, *, breaks: bool, **rest: Any) -> None:
        super().__init__(**rest)
        self.breaks = breaks

    def execute(self, context: Any) -> None:
        self.defer(trigger=SaysAPassword(breaks=self.breaks), method_name="resume")

    def resume(self, context: Any, event: Any) -> None:
        site_journal.write("heard", payload=event)


with DAG(
    "slips",
    schedule=None,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=1),
        callback=AsyncCallback(breaks_late, {"text": "SECRET-FIELD-of-a-callback"}),
    ),
):
    Defers(task_id="tells", breaks=False)
    Defers(task_id="breaks", breaks=True)
