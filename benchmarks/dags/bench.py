"""The Dags of the benchmark. Every task writes down when its first line ran: that line is the first line of user code."""

from __future__ import annotations

import os
import time
from datetime import timedelta

from airflow.sdk import DAG, task

WIDE = int(os.environ.get("BENCH_WIDE", "1000"))
CHAIN = int(os.environ.get("BENCH_CHAIN", "20"))
BURST = int(os.environ.get("BENCH_BURST", "10"))
SLEEPERS = int(os.environ.get("BENCH_SLEEPERS", "100"))
WAITERS = int(os.environ.get("BENCH_WAITERS", "2000"))

MORE = {"schedule": None, "catchup": False, "max_active_tasks": 2000, "max_active_runs": 100}


def note(ti) -> None:
    """One line in the journal: append-only and short, so that lines of many processes do not mix."""
    now = time.time()
    line = f"{now:.6f} {ti.dag_id} {ti.run_id} {ti.task_id} {ti.map_index} {ti.try_number}\n"
    fd = os.open(os.environ["BENCH_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, line.encode())
    os.close(fd)


@task
def noop(ti=None):
    note(ti)


with DAG("wide", **MORE):

    @task
    def wide_task(number, ti=None):
        note(ti)

    wide_task.expand(number=list(range(WIDE)))

with DAG("chain", **MORE):
    last = None
    for number in range(CHAIN):
        link = noop.override(task_id=f"link_{number}")()
        if last is not None:
            last >> link
        last = link

with DAG("burst", **MORE):
    for number in range(BURST):
        noop.override(task_id=f"part_{number}")()

with DAG("sleepers", **MORE):

    @task
    def sleeper(number, ti=None):
        note(ti)
        time.sleep(60)

    sleeper.expand(number=list(range(SLEEPERS)))

with DAG("deferrable", **MORE):
    from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor

    TimeDeltaSensor.partial(task_id="wait", deferrable=True).expand(
        delta=[timedelta(seconds=int(os.environ.get("BENCH_WAIT", "240"))) for _ in range(WAITERS)]
    )
