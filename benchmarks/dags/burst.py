"""Ten short tasks, side by side; twenty runs at once."""

from airflow.sdk import DAG, task
from journal import DAG_OPTIONS, size, work

with DAG("burst", **DAG_OPTIONS):

    @task
    def part(ti=None):
        return work(ti)

    for number in range(size("BENCH_BURST", 10)):
        part.override(task_id=f"part_{number}")()
