"""A Dag of one task, for an agent that knows nothing but a URL and a token."""

from __future__ import annotations

from airflow.sdk import dag, task


@dag(schedule=None)
def sums() -> None:
    @task
    def add() -> None:
        assert 1 + 1 == 2

    add()


sums()
