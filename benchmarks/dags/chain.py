"""Short tasks, one after the other."""

from airflow.sdk import DAG, task
from journal import DAG_OPTIONS, size, work

with DAG("chain", **DAG_OPTIONS):

    @task
    def link(ti=None):
        return work(ti)

    last = None
    for number in range(size("BENCH_CHAIN", 20)):
        this = link.override(task_id=f"link_{number}")()
        if last is not None:
            last >> this
        last = this
