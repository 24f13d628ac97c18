"""Tasks that run until a file says that they may end."""

from __future__ import annotations

import os
import time
from pathlib import Path

from airflow.sdk import DAG, task

with DAG("harvest", schedule=None):

    @task
    def pick(row: int) -> None:
        done = Path(os.environ["SITE_JOURNAL"]).with_name("picked")
        while not done.exists():
            time.sleep(0.1)

    pick.expand(row=[1, 2, 3])

with DAG("export", schedule=None):

    @task(queue="nobody-here")
    def send() -> None:
        pass

    send()
