"""A list that one agent returns, and tasks of another agent that are made of it."""

from __future__ import annotations

import site_journal
from airflow.sdk import DAG, task

with DAG("handed_over", schedule=None):

    @task(queue="here")
    def regions() -> list[str]:
        return ["eu", "us"]

    @task(queue="there")
    def count(region: str) -> None:
        site_journal.write("counted", region=region)

    count.expand(region=regions())
