"""Dags of the other site."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from airflow.sdk import dag, task


@dag(schedule=None)
def fjord():
    @task(queue="oslo")
    def where() -> None:
        assert socket.gethostname().startswith("oslo-"), socket.gethostname()

    where()


@dag(schedule=None)
def slow():
    @task(queue="oslo", retries=0)
    def sleeps(ti=None) -> None:
        marks = Path("/mnt/shared/marks")
        marks.mkdir(exist_ok=True)
        for word, seconds in (("began", 25), ("ended", 0)):
            with (marks / "all").open("a") as all_of_them:
                all_of_them.write(f"{word} {ti.run_id} 0 {socket.gethostname()}\n")
            time.sleep(seconds)

    sleeps()


fjord()
slow()
