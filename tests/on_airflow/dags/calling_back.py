"""Callbacks: of tasks, of Dag runs, of deadlines; and the stores of 3.3."""

from __future__ import annotations

import time
from datetime import timedelta

import site_journal
from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference, SyncCallback, task
from airflow.sdk.exceptions import AirflowSkipException
from site_triggers import Tells, deadline_missed_on_the_triggerer


def task_failed(context):
    site_journal.write("task_failure_callback", task=context["ti"].task_id)


def task_succeeded(context):
    site_journal.write("task_success_callback", task=context["ti"].task_id)


def run_failed(context):
    site_journal.write("run_failure_callback", run=context["run_id"])


def deadline_missed(**kwargs):
    site_journal.write("deadline_callback", text=kwargs.get("text"))


def task_starts(context):
    site_journal.write("task_execute_callback", task=context["ti"].task_id)


def task_retries(context):
    site_journal.write("task_retry_callback", task=context["ti"].task_id)


def task_skipped(context):
    site_journal.write("task_skipped_callback", task=context["ti"].task_id)


with DAG("callbacks", schedule=None, on_failure_callback=run_failed):

    @task(on_success_callback=task_succeeded, on_execute_callback=task_starts)
    def fine():
        pass

    @task(on_skipped_callback=task_skipped)
    def skipped():
        raise AirflowSkipException("as planned")

    @task(
        on_failure_callback=task_failed,
        on_retry_callback=task_retries,
        retries=1,
        retry_delay=timedelta(seconds=1),
    )
    def broken():
        raise RuntimeError("as planned")

    fine() >> broken()
    skipped()

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

with DAG(
    "async_deadline",
    schedule=None,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=1),
        callback=AsyncCallback(deadline_missed_on_the_triggerer, {"text": "late"}),
    ),
):

    @task
    def slow_too():
        time.sleep(8)

    slow_too()

for name, callback in (
    ("notifies", SyncCallback(Tells, {"text": "{{ 40 + 2 }} is late"})),
    ("notifies_on_the_triggerer", AsyncCallback(Tells, {"text": "{{ 40 + 2 }} is late"})),
):
    with DAG(
        name,
        schedule=None,
        deadline=DeadlineAlert(
            reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(seconds=1), callback=callback
        ),
    ):

        @task
        def takes_its_time():
            time.sleep(8)

        takes_its_time()

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
