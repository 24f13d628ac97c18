"""dagrun_timeout fails the run, skips and stops what is left, and calls back with the reason.

apache/airflow#30264, apache/airflow#12912, apache/airflow#18746: the tasks ran on, or the callback was not called.
"""

from __future__ import annotations

import time
from datetime import timedelta

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"a_run_that_takes_too_long": "failed"}}

with DAG(
    "a_run_that_takes_too_long",
    schedule=None,
    dagrun_timeout=timedelta(seconds=30),
    on_failure_callback=lambda context: witness.called("run_failed", context),
):

    @task
    def works():
        witness.saw("works")
        time.sleep(90)
        witness.saw("not_stopped")

    @task
    def never_starts():
        witness.saw("never_starts")

    works() >> never_starts()
