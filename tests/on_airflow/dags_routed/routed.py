"""Tasks for queues of their own."""

from __future__ import annotations

import site_journal
from airflow.sdk import DAG, task

with DAG("colours", schedule=None):

    def look(shade):
        import shades

        site_journal.write("shade", queue=shade, version=shades.VERSION)

    for shade in ("dark", "light"):
        task(look, queue=f"{shade}-queue").override(task_id=shade)(shade)

with DAG("nobody_comes", schedule=None):

    @task(queue="late-queue")
    def waits():
        site_journal.write("late")

    waits()
