"""A thousand mapped tasks that do nothing."""

from airflow.sdk import DAG, task
from journal import DAG_OPTIONS, note, size

with DAG("wide", **DAG_OPTIONS):

    @task
    def wide_task(number, ti=None):
        note(ti)

    wide_task.expand(number=list(range(size("BENCH_WIDE", 1000))))
