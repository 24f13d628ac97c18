"""A Dag whose task runs until a file of the site is there."""

from __future__ import annotations

import os
import time
from pathlib import Path

from airflow.sdk import dag, task


@dag(schedule=None, max_active_tasks=16)
def held() -> None:
    @task
    def hold() -> None:
        gate = Path(os.environ["SITE_GATE"])
        while not gate.exists():
            time.sleep(0.2)

    hold()


held()
