"""A run of a Dag that does not exist is a failure like any other: called back and tried again.

apache/airflow#70683, apache/airflow#70719: neither callback nor retry.
"""

from __future__ import annotations

from datetime import timedelta

import witness
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG

SCENARIO = {"ends": {"triggering_what_is_not_there": "failed"}}

with DAG("triggering_what_is_not_there", schedule=None):
    TriggerDagRunOperator(
        task_id="trigger",
        trigger_dag_id="no_such_dag",
        retries=1,
        retry_delay=timedelta(seconds=1),
        on_failure_callback=lambda context: witness.called("failed", context),
        on_retry_callback=lambda context: witness.called("retried", context),
    )
