"""Callbacks: of tasks, of Dag runs, of deadlines; and the stores of 3.3."""

from __future__ import annotations

import time
from datetime import timedelta

import site_journal
from airflow.sdk import DAG, DeadlineAlert, DeadlineReference, SyncCallback, task


def task_failed(context):
    site_journal.write("task_failure_callback", task=context["ti"].task_id)


def task_succeeded(context):
    site_journal.write("task_success_callback", task=context["ti"].task_id)


def run_failed(context):
    site_journal.write("run_failure_callback", run=context["run_id"])


def deadline_missed(**kwargs):
    site_journal.write("deadline_callback", text=kwargs.get("text"))


with DAG("callbacks", schedule=None, on_failure_callback=run_failed):

    @task(on_success_callback=task_succeeded)
    def fine():
        pass

    @task(on_failure_callback=task_failed)
    def broken():
        raise RuntimeError("as planned")

    fine() >> broken()

with DAG(
    "deadline",
    schedule=None,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=1),
        callback=SyncCallback(deadline_missed, {"text": "late"}),
    ),
):

    @task
    def slow():
        time.sleep(8)

    slow()

with DAG("long", schedule=None):

    @task
    def sleeper(ti=None):
        site_journal.write("sleeper_start", attempt=ti.try_number)
        time.sleep(120)
        site_journal.write("sleeper_end", attempt=ti.try_number)

    sleeper()

with DAG("stores", schedule=None):

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def remembers(task_state_store=None, ti=None):
        site_journal.write("remembered", attempt=ti.try_number, value=task_state_store.get("job"))
        if ti.try_number == 1:
            task_state_store.set("job", "SECRET-STATE-handle")
            raise RuntimeError("again")

    remembers()
