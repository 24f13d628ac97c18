"""Tasks that wait without a worker."""

from datetime import timedelta

from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG
from journal import DAG_OPTIONS, size

with DAG("deferrable", **DAG_OPTIONS):
    TimeDeltaSensor.partial(task_id="wait", deferrable=True).expand(
        delta=[timedelta(seconds=size("BENCH_WAIT", 240)) for _ in range(size("BENCH_WAITERS", 2000))]
    )
