"""A mail that cannot be sent changes nothing about how a task ends, and the log says why.

apache/airflow#41490, apache/airflow#11086: a mail that hung kept the task.
"""

from __future__ import annotations

from datetime import timedelta

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"mail_when_a_task_fails": "failed"}}

with DAG("mail_when_a_task_fails", schedule=None):

    @task(
        email=["somebody@example.org"],
        email_on_failure=True,
        email_on_retry=True,
        retries=1,
        retry_delay=timedelta(seconds=1),
        on_failure_callback=lambda context: witness.called("failed", context),
    )
    def fails():
        raise RuntimeError("as planned")

    fails()
