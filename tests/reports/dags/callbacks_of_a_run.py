"""Callbacks of a run are called with a context: the run, a task instance, the reason.

apache/airflow#51402, apache/airflow#26760, apache/airflow#53684: only dag, run_id and reason were there.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, Variable, task

SCENARIO = {
    "ends": {"callbacks_of_a_failed_run": "failed", "callbacks_of_a_fine_run": "success"},
    "conf": {"a": [1]},
}


def report(context):
    run = context["dag_run"]
    witness.called(
        "run_ended",
        context,
        conf=run.conf,
        type=str(run.run_type),
        variable=Variable.get("plain", default=None),
        pulled=context["ti"].xcom_pull(task_ids="gives"),
    )


with DAG("callbacks_of_a_failed_run", schedule=None, on_failure_callback=report, on_success_callback=report):

    @task
    def gives():
        return {"for": "the callback"}

    @task
    def fails():
        raise RuntimeError("as planned")

    gives() >> fails()

with DAG("callbacks_of_a_fine_run", schedule=None, on_failure_callback=report, on_success_callback=report):

    @task(task_id="gives")
    def gives_too():
        return [(1, 2)]

    gives_too()
