"""Marking a running task as failed stops it, calls on_kill, and its failure callback is called with its context.

apache/airflow#53718, apache/airflow#51005, apache/airflow#53058.
"""

from __future__ import annotations

import time

import witness
from airflow.sdk import DAG, BaseOperator

SCENARIO = {"ends": {"marked_failed_while_it_runs": "failed"}, "play": "mark_failed_while_running"}


class Works(BaseOperator):
    """Works until it is killed."""

    def execute(self, context):
        witness.saw("works")
        print("working", flush=True)
        time.sleep(90)
        witness.saw("not_stopped")

    def on_kill(self):
        witness.saw("on_kill", dag=self.dag_id)


with DAG(
    "marked_failed_while_it_runs",
    schedule=None,
    on_failure_callback=lambda context: witness.called("run_failed", context),
):
    Works(task_id="works", on_failure_callback=lambda context: witness.called("failed", context))
