"""A Dag whose runs leave a value and a log, each of a size that a test knows."""

from __future__ import annotations

from airflow.sdk import DAG, task

with DAG("keeps", schedule=None):

    @task(queue="kept")
    def says() -> str:
        for number in range(100):
            print(f"line {number} " + "x" * 200)
        return "y" * 20_000

    says()
