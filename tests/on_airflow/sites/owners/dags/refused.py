"""A Dag that a cluster policy of the site refuses."""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG

with DAG("owners_refused", schedule=None):
    EmptyOperator(task_id="nothing")
