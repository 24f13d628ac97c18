"""Dags of site eu: no task names an executor, on a plane whose first one is LocalExecutor."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import site_journal
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, Asset, DeadlineAlert, DeadlineReference, SyncCallback, task


def late(**kwargs):
    site_journal.write("late", text=kwargs.get("text"))


with DAG("eu_flow", schedule=None):

    @task
    def plain():
        site_journal.write("plain")

    @task
    def mapped(n):
        site_journal.write("mapped", n=n)

    past = datetime(2026, 1, 1, tzinfo=timezone.utc)
    DateTimeSensorAsync(task_id="waits", target_time=past)
    DateTimeSensorAsync(task_id="begins_waiting", target_time=past, start_from_trigger=True)
    plain() >> mapped.expand(n=[1, 2, 3])


with DAG("eu_uses", schedule=[Asset("shared")]):

    @task
    def use():
        site_journal.write("used")

    use()


with DAG("eu_daily", schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), catchup=False):

    @task
    def day(logical_date=None):
        site_journal.write("day", at=str(logical_date.date()))

    day()

with DAG(
    "eu_late",
    schedule=None,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(seconds=1),
        callback=SyncCallback(late, {"text": "late"}),
    ),
):

    @task
    def slow():
        import time

        time.sleep(3)

    slow()
