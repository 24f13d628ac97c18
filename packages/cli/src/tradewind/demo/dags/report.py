"""Runs by itself whenever orders were published: an asset, not a clock, starts it."""

from __future__ import annotations

from airflow.sdk import Asset, dag, task


@dag(schedule=[Asset(name="orders", uri="demo://orders")], tags=["demo"])
def demo_report() -> None:
    @task
    def write() -> None:
        print("a report, because there are new orders")

    write()


demo_report()
