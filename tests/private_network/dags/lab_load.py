"""Tasks that run for some seconds while their network changes."""

from __future__ import annotations

import time

import site_journal
from airflow.sdk import DAG, task

with DAG("lab_load", schedule=None, max_active_runs=8, default_args={"queue": "lab", "retries": 0}):

    @task
    def work(number, **context):
        site_journal.write("worked", number=number, run=context["run_id"])
        time.sleep(4)

    first = work.override(task_id="first")(0)
    for number in (1, 2, 3):
        first >> work.override(task_id=f"then_{number}")(number)
