"""A task that waits without a slot: it defers, a trigger on this site's triggerer waits for it, and it goes on."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk import BaseOperator, dag, task


class Wait(BaseOperator):
    """Wait a while, as a trigger."""

    def __init__(self, *, seconds: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seconds = seconds

    def execute(self, context: Any) -> None:
        moment = datetime.now(timezone.utc) + timedelta(seconds=self.seconds)
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="done")

    def done(self, context: Any, event: Any = None) -> str:
        return f"woken at {event}"


@dag(schedule=None, tags=["demo"])
def demo_waiting() -> None:
    @task
    def report(woken: str) -> None:
        print(woken)

    report(Wait(task_id="wait", seconds=5).output)


demo_waiting()
