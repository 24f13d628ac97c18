"""Tasks that say something while somebody listens."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import AsyncIterator
from typing import Any

from airflow.sdk import DAG, BaseOperator, task
from airflow.triggers.base import BaseTrigger, TriggerEvent

log = logging.getLogger(__name__)

_GO = os.environ.get("SITE_WATCHED", "/nonexistent") + "-go"


class SaysSomething(BaseTrigger):
    """Says a line, and fires once told."""

    def __init__(self, go: str) -> None:
        super().__init__()
        self.go = go

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "talking.SaysSomething", {"go": self.go}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        import asyncio

        self.log.info("words of the trigger")
        while not os.path.exists(self.go):
            await asyncio.sleep(0.2)
        yield TriggerEvent({})


class Defers(BaseOperator):
    def execute(self, context: Any) -> None:
        log.info("words before the trigger")
        self.defer(trigger=SaysSomething(_GO + "-trigger"), method_name="resume")

    def resume(self, context: Any, event: Any) -> None:
        log.info("words after the trigger")


with DAG("talking", schedule=None):

    @task
    def talk():
        log.info("first words")
        while not os.path.exists(_GO):
            time.sleep(0.2)
        log.info("last words")

    talk()

with DAG("talking_much", schedule=None):

    @task
    def talk_much():
        for number in range(20_000):
            log.info("line %06d %s", number, "." * 200)

    talk_much()

with DAG("talking_long", schedule=None):

    @task
    def talk_long():
        log.info("long %s", "0123456789" * 120_000)

    talk_long()

with DAG("talking_deferred", schedule=None):
    Defers(task_id="defers")
