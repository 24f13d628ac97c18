"""sys.exit, os._exit and an end without a word are failures with a reason, and are tried again.

apache/airflow#11234, apache/airflow#36986, apache/airflow#45282, apache/airflow#55783.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta

import witness
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"a_task_that_leaves": "failed"},
    "lines": {"a_task_that_leaves/exit_ten": ["exit_code=10"]},
}

with DAG("a_task_that_leaves", schedule=None):

    @task
    def exit_zero():
        sys.exit(0)

    @task(retries=1, retry_delay=timedelta(seconds=1), on_retry_callback=lambda c: witness.called("retry", c))
    def exit_ten(ti=None):
        if ti.try_number == 1:
            sys.exit(10)
        witness.saw("second")

    @task
    def hard_exit_three():
        print("before the hard exit", flush=True)
        os._exit(3)

    @task
    def builtin_exit():
        exit()

    @task
    def exit_with_text():
        sys.exit("a reason in words")

    exit_zero()
    exit_ten()
    hard_exit_three()
    builtin_exit()
    exit_with_text()
