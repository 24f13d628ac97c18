"""Tasks whose spans are looked at."""

from __future__ import annotations

from datetime import timedelta

import site_journal
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, task

with DAG("traced", schedule=None):

    @task
    def work(ti=None):
        from opentelemetry import trace

        with trace.get_tracer("mine").start_as_current_span("my.own.step"):
            site_journal.write("traced", try_number=ti.try_number)
        return "SECRET-XCOM-value"

    work()

with DAG("traced_waiting", schedule=None):
    TimeDeltaSensor(task_id="waits", delta=timedelta(seconds=1), deferrable=True)
