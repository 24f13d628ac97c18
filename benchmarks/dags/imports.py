"""Fifty tasks of a Dag that imports what Dags import."""

from __future__ import annotations

import os
import time

import pandas as pd
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG, task

COUNT = int(os.environ.get("BENCH_IMPORTS", "50"))

with DAG("imports", schedule=None, catchup=False, max_active_tasks=2000) as dag:

    @task
    def uses_them(number, ti=None):
        now = time.time()
        assert pd.DataFrame and HttpOperator
        line = f"{now:.6f} {ti.dag_id} {ti.run_id} {ti.task_id} {ti.map_index} {ti.try_number}\n"
        fd = os.open(os.environ["BENCH_JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, line.encode())
        os.close(fd)

    uses_them.expand(number=list(range(COUNT)))
