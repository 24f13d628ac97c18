"""Retries wait longer each time, each is called back with its error, and the failure once.

apache/airflow#47971, apache/airflow#52055: the exception was missing in the context.
"""

from __future__ import annotations

from datetime import timedelta

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"retries_with_backoff": "failed"}}


class Trouble(Exception):
    """An error of the Dag's own."""


with DAG(
    "retries_with_backoff",
    schedule=None,
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=1),
        "max_retry_delay": timedelta(seconds=3),
        "on_execute_callback": lambda context: witness.called("execute", context),
        "on_retry_callback": [lambda context: witness.called("retry", context)],
        "on_success_callback": lambda context: witness.called("success", context),
        "on_failure_callback": [
            lambda context: witness.called("failure", context),
            lambda context: witness.called("second failure", context),
        ],
    },
):

    @task(retry_exponential_backoff=True)
    def never(ti=None):
        raise Trouble("try", ti.try_number) from ValueError("the cause")

    @task
    def at_last(ti=None):
        witness.saw("attempt", number=ti.try_number, most=ti.max_tries)
        if ti.try_number < 3:
            raise Trouble(ti.try_number)

    never()
    at_last()
