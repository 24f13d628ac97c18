"""A plugin's listener hears starts and ends of tasks in the task's process, and its macro is there in templates.

apache/airflow#53162, apache/airflow#54332, apache/airflow#45423.
"""

from __future__ import annotations

from datetime import timedelta

import witness
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowSkipException

SCENARIO = {"ends": {"a_listener_hears_each_end": "failed"}, "plugin": True}

with DAG("a_listener_hears_each_end", schedule=None):

    @task
    def fine():
        witness.saw("fine")

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def fails():
        raise RuntimeError("as planned")

    @task
    def skips():
        raise AirflowSkipException

    BashOperator(task_id="macro", bash_command="echo {{ macros.reports_plugin.shout('macro') }}")
    fine()
    fails()
    skips()
