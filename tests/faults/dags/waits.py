"""A task that waits on a trigger, and a trigger that witnesses where it runs."""

from __future__ import annotations

import asyncio
import os

import witness
from airflow.sdk import DAG, BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent


class Waits(BaseTrigger):
    """Fires when the file `wait_is_over` lies beside the journal."""

    def __init__(self, run):
        super().__init__()
        self.run_id = run

    def serialize(self):
        return "waits.Waits", {"run": self.run_id}

    async def run(self):
        witness.write("trigger", run=self.run_id, agent=os.environ["SITE_AGENT"])
        over = os.path.join(os.path.dirname(os.environ["SITE_JOURNAL"]), "wait_is_over")
        while not os.path.exists(over):
            await asyncio.sleep(0.2)
        yield TriggerEvent("over")


class Waiting(BaseOperator):
    def execute(self, context):
        self.defer(trigger=Waits(context["run_id"]), method_name="resume")

    def resume(self, context, event):
        span = witness.Span(context["ti"])
        span.say("end")


with DAG("waits", schedule=None):
    Waiting(task_id="work")
