"""Four tasks that run and three that are deferred, until a file of the site is there."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from airflow.providers.standard.triggers.file import FileTrigger
from airflow.sdk import BaseOperator, dag, task


class Deferred(BaseOperator):
    def execute(self, context: Any) -> None:
        self.defer(
            trigger=FileTrigger(filepath=os.environ["SITE_GATE"], poke_interval=1), method_name="resume"
        )

    def resume(self, context: Any, event: Any) -> None:
        assert Path(os.environ["SITE_GATE"]).exists()


@dag(schedule=None)
def upgraded() -> None:
    @task
    def hold(number: int) -> None:
        while not Path(os.environ["SITE_GATE"]).exists():
            time.sleep(0.2)

    hold.expand(number=[1, 2, 3, 4])
    for number in range(3):
        Deferred(task_id=f"deferred_{number}")


upgraded()
