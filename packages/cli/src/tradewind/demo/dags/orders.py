"""Orders of several regions: mapped tasks, values passed between tasks, a task that needs a second try.

The values stay on this site: the plane sees where they are kept, never what they are.
"""

from __future__ import annotations

import random
import time
from datetime import timedelta

from airflow.sdk import Asset, dag, get_current_context, task

orders = Asset(name="orders", uri="demo://orders")


@dag(schedule=None, tags=["demo"])
def demo_orders() -> None:
    @task
    def regions() -> list[str]:
        return ["europe", "america", "asia", "africa"]

    @task
    def load(region: str) -> dict[str, int]:
        time.sleep(1)
        count = random.randint(10, 99)
        print(f"{count} orders of {region}, loaded where they are kept")
        return {region: count}

    @task(retries=2, retry_delay=timedelta(seconds=2))
    def validate(counts: list[dict[str, int]]) -> int:
        if get_current_context()["ti"].try_number == 1:
            raise RuntimeError("the first try fails on purpose, to show a retry")
        return sum(count for one in counts for count in one.values())

    @task(outlets=[orders])
    def publish(total: int) -> None:
        print(f"{total} orders in all")

    publish(validate(load.expand(region=regions())))


demo_orders()
