"""A task reads what it wrote in the run before.

apache/airflow#53593, apache/airflow#54610: None with include_prior_dates, so that incremental loads began anew.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"xcom_of_prior_runs": ["success", "success"]}, "play": "trigger_twice"}

with DAG("xcom_of_prior_runs", schedule=None):

    @task
    def load(ti=None, dag_run=None):
        before = ti.xcom_pull(task_ids="load", key="watermark", include_prior_dates=True)
        own = ti.xcom_pull(task_ids="load", key="watermark")
        witness.saw("before", run=dag_run.run_id, before=before, own=own)
        ti.xcom_push(key="watermark", value=dag_run.run_id)

    load()
