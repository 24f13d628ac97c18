"""A Dag of a site whose plane is a release of Airflow's own chart."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None)
def ore():
    @task(queue="narvik")
    def digs() -> int:
        return 42

    @task(queue="narvik")
    def ships(found: int) -> None:
        assert found == 42

    ships(digs())


ore()
