"""Dags that wait: deferral, triggers that read, watchers, people."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import site_journal
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, Asset, AssetWatcher, BaseOperator, task
from airflow.triggers.base import StartTriggerArgs
from site_triggers import FileWatch, ReadsXCom

with DAG("deferrable", schedule=None):
    TimeDeltaSensor(task_id="wait", delta=timedelta(seconds=1), deferrable=True)


class ReadsXComOperator(BaseOperator):
    def execute(self, context: Any) -> None:
        context["ti"].xcom_push("note", "SECRET-XCOM-for-the-trigger")
        self.defer(
            trigger=ReadsXCom(dag_id=self.dag_id, run_id=context["run_id"], task_id=self.task_id),
            method_name="resume",
        )

    def resume(self, context: Any, event: Any) -> None:
        site_journal.write("trigger_read", length=event["length"])


with DAG("xcom_from_trigger", schedule=None):
    ReadsXComOperator(task_id="reads")


class StartsFromTrigger(BaseOperator):
    start_from_trigger = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",
            trigger_kwargs={"delta": timedelta(seconds=1)},
            next_method="execute_complete",
            next_kwargs=None,
            timeout=None,
        )

    def execute(self, context: Any) -> None:
        site_journal.write("never_executed")

    def execute_complete(self, context: Any, event: Any = None) -> None:
        site_journal.write("started_from_trigger")


with DAG("start_from_trigger", schedule=None):
    StartsFromTrigger(task_id="starts")


class StartsWithATemplate(BaseOperator):
    """Its trigger waits until a moment that its Dag's text names as a template."""

    template_fields = ("moment",)
    start_from_trigger = True

    def __init__(self, *, moment: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.moment = moment
        self.start_trigger_args = StartTriggerArgs(
            trigger_cls="site_triggers.TellsItsField",
            trigger_kwargs={"moment": moment},
            next_method="execute_complete",
        )

    def execute(self, context: Any) -> None:
        site_journal.write("never_executed")

    def execute_complete(self, context: Any, event: Any = None) -> None:
        site_journal.write("rendered_by_the_trigger", run=event)


with DAG("template_of_a_trigger", schedule=None):
    StartsWithATemplate(task_id="starts", moment="of {{ run_id }}")

made = Asset("made-here")

with DAG("asset_producer", schedule=None):

    @task(outlets=[made])
    def make():
        site_journal.write("made")

    make()

with DAG("asset_consumer", schedule=[made]):

    @task
    def use(triggering_asset_events=None):
        site_journal.write("used", events=len(triggering_asset_events or {}))

    use()

watched = Asset(
    "watched-file",
    watchers=[
        AssetWatcher(name="watch", trigger=FileWatch(path=os.environ.get("SITE_WATCHED", "/nonexistent")))
    ],
)

with DAG("asset_watcher", schedule=[watched]):

    @task
    def seen():
        site_journal.write("watched")

    seen()

with DAG("human", schedule=None):
    ApprovalOperator(task_id="approve", subject="Go on?", execution_timeout=timedelta(minutes=5))
