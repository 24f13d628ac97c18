"""A Dag of a site that has troubles."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None)
def quiet():
    @task(queue="bergen")
    def nothing() -> None:
        pass

    nothing()


quiet()
