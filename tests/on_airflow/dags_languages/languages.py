"""Dags with tasks that a program in another language carries out: `tests/on_airflow/languages/tasks.pl`."""

from __future__ import annotations

from typing import Any

import site_journal
from airflow.sdk import DAG, task

with DAG("languages", schedule=None):

    @task
    def counts() -> dict[str, int]:
        return {"rows": 3}

    @task.stub(queue="perl")
    def reports(): ...

    @task
    def hears(report: Any) -> None:
        site_journal.write("heard", report=report)

    report = reports()
    counts() >> report
    hears(report)

with DAG("languages_long", schedule=None):

    @task.stub(queue="perl")
    def sleeps(): ...

    sleeps()

with DAG("languages_broken", schedule=None):

    @task.stub(queue="perl")
    def breaks(): ...

    breaks()
