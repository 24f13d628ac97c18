"""A run triggered without a logical date has no ds, and says so where it is used.

apache/airflow#48473, apache/airflow#46522, apache/airflow#46197.
"""

from __future__ import annotations

import witness
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.latest_only import LatestOnlyOperator
from airflow.sdk import DAG, get_current_context, task

SCENARIO = {"ends": {"a_run_without_a_date": "failed"}, "logical_date": False}

with DAG("a_run_without_a_date", schedule=None):

    @task
    def looks(dag_run=None, run_id=None, **context):
        witness.saw(
            "keys", keys=sorted(key for key in get_current_context() if key not in witness.NOT_ALWAYS)
        )
        witness.saw(
            "run",
            date=dag_run.logical_date,
            interval=dag_run.data_interval_start,
            after=dag_run.run_after is not None,
        )
        for name in ("ds", "ts", "logical_date", "data_interval_end"):
            try:
                witness.saw("value", name=name, value=context[name])
            except KeyError as problem:
                witness.saw("absent", name=name, problem=problem)

    BashOperator(task_id="templated", bash_command="echo {{ ds }}")
    BashOperator(task_id="after", bash_command="echo {{ dag_run.run_after is not none }} {{ run_id }}")
    LatestOnlyOperator(task_id="latest")
    looks()
