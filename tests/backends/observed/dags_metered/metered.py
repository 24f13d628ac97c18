"""A Dag whose task, parser and trigger all count."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, task

with DAG("metered", schedule=None):

    @task
    def works():
        pass

    works()
    TimeDeltaSensor(task_id="waits", delta=timedelta(seconds=8), deferrable=True)
