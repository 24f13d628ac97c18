"""execution_timeout ends the task, calls on_kill, and leaves no process behind.

apache/airflow#57778, apache/airflow#51005: on_kill was not called, and what the task had started ran on.
"""

from __future__ import annotations

import subprocess
import time
from datetime import timedelta

import witness
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, BaseOperator, task
from airflow.sdk.exceptions import AirflowTaskTimeout

SCENARIO = {"ends": {"an_execution_timeout": "failed"}}


class Slow(BaseOperator):
    """Starts a process, and stops it when it is told to."""

    def execute(self, context):
        self.child = subprocess.Popen(["sleep", "60"])
        witness.saw("started")
        self.child.wait()

    def on_kill(self):
        self.child.terminate()
        witness.saw("on_kill", dag=self.dag_id, child=self.child.wait())


with DAG("an_execution_timeout", schedule=None):
    Slow(
        task_id="slow",
        execution_timeout=timedelta(seconds=2),
        on_failure_callback=lambda context: witness.called("failed", context),
    )
    BashOperator(
        task_id="bash", bash_command="echo started; sleep 60", execution_timeout=timedelta(seconds=2)
    )

    @task(execution_timeout=timedelta(seconds=2), retries=1, retry_delay=timedelta(seconds=1))
    def cleans_up(ti=None):
        if ti.try_number == 2:
            return
        try:
            time.sleep(60)
        except AirflowTaskTimeout as problem:
            witness.saw("timeout", problem=type(problem).__name__)
            raise

    @task(execution_timeout=timedelta(minutes=5))
    def in_time():
        pass

    cleans_up()
    in_time()
