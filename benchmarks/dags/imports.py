"""Tasks of a Dag that imports what Dags import."""

import pandas as pd
from airflow.providers.http.operators.http import HttpOperator
from airflow.sdk import DAG, task
from journal import DAG_OPTIONS, size, work

with DAG("imports", **DAG_OPTIONS):

    @task(max_active_tis_per_dagrun=1)  # one at a time: what counts is how long one takes to start
    def uses_them(number, ti=None):
        assert pd.DataFrame and HttpOperator
        return work(ti)

    uses_them.expand(number=list(range(size("BENCH_IMPORTS", 50))))
