"""Tasks that sleep: what one costs in memory."""

import time

from airflow.sdk import DAG, task
from journal import DAG_OPTIONS, note, size

with DAG("sleepers", **DAG_OPTIONS):

    @task
    def sleeper(number, ti=None):
        note(ti)
        time.sleep(60)

    sleeper.expand(number=list(range(size("BENCH_SLEEPERS", 100))))
