"""Dags of the plane itself: its LocalExecutor runs them, its triggerer waits for them."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import DAG, BaseOperator, task
from airflow.triggers.base import BaseTrigger, TriggerEvent

log = logging.getLogger(__name__)

_GO = os.environ.get("PLANE_WATCHED", "/nonexistent") + "-go"


class SaysSomething(BaseTrigger):
    """Says a line, and fires once told."""

    def __init__(self, go: str) -> None:
        super().__init__()
        self.go = go

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "planes_own.SaysSomething", {"go": self.go}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        import asyncio

        self.log.info("words of the plane's trigger")
        while not os.path.exists(self.go):
            await asyncio.sleep(0.2)
        yield TriggerEvent({})


class Defers(BaseOperator):
    def execute(self, context: Any) -> None:
        log.info("words before the trigger")
        self.defer(trigger=SaysSomething(_GO + "-trigger"), method_name="resume")

    def resume(self, context: Any, event: Any) -> None:
        log.info("words after the trigger")


with DAG("planes_own", schedule=None):

    @task
    def talk():
        log.info("first words on the plane")
        while not os.path.exists(_GO):
            time.sleep(0.2)
        log.info("last words on the plane")

    talk()

with DAG("planes_own_deferred", schedule=None):
    Defers(task_id="defers")
