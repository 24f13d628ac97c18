"""Runs at the end of each month, by a timetable of the project's own."""

from __future__ import annotations

from airflow.sdk import dag, task
from month_ends import MonthEnd


@dag(schedule=MonthEnd("0 18 * * *", timezone="UTC"), catchup=False, tags=["example"])
def month_end() -> None:
    @task
    def close() -> str:
        return "the month is closed"

    close()


month_end()
