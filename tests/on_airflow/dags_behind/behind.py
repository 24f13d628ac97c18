"""A task, a wait on the triggerer, and a value from one to the other."""

from __future__ import annotations

from datetime import timedelta

import site_journal
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, task

with DAG("behind_a_proxy", schedule=None, default_args={"queue": "behind-nginx"}):

    @task
    def make():
        return "made at the site"

    @task
    def receive(text):
        site_journal.write("received", text=text)

    made = make()
    made >> TimeDeltaSensor(task_id="wait", delta=timedelta(seconds=1), deferrable=True) >> receive(made)
