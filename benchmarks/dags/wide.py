"""A thousand short mapped tasks."""

from airflow.sdk import DAG, task
from journal import DAG_OPTIONS, size, work

with DAG("wide", **DAG_OPTIONS):

    @task
    def wide_task(number, ti=None):
        return work(ti)

    wide_task.expand(number=list(range(size("BENCH_WIDE", 1000))))
