"""A task that waits for long, and one that ends at once."""

from __future__ import annotations

from datetime import datetime, timezone

import site_journal
from airflow.providers.standard.sensors.date_time import DateTimeSensorAsync
from airflow.sdk import DAG, task

with DAG("waiting", schedule=None):
    DateTimeSensorAsync(task_id="waits", target_time=datetime(2100, 1, 1, tzinfo=timezone.utc))

with DAG("good", schedule=None):

    @task
    def good():
        site_journal.write("good")

    good()
