"""A task, its callbacks and its templates know the address of its log and of its run.

apache/airflow#50754, apache/airflow#48473: alerts link to the log; localhost helps nobody.
"""

from __future__ import annotations

import witness
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"links_to_the_log": "success"}}

with DAG(
    "links_to_the_log",
    schedule=None,
    on_success_callback=lambda context: witness.called(
        "run", context, url=getattr(context["ti"], "log_url", None)
    ),
):

    @task(on_success_callback=lambda context: witness.called("success", context, url=context["ti"].log_url))
    def looks(ti=None):
        witness.saw("link", log=ti.log_url, mark=getattr(ti, "mark_success_url", None))

    looks() >> BashOperator(task_id="templated", bash_command="echo {{ ti.log_url }}")
