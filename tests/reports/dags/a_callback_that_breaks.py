"""A callback that raises leaves the task's state alone, and the others are called.

apache/airflow#24990, apache/airflow#53684.
"""

from __future__ import annotations

import sys

import witness
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"a_callback_that_breaks": "failed"},
    "lines": {
        "a_callback_that_breaks/fine": ["words of a callback"],
        "a_callback_that_breaks/fails": ["the callback's own trouble"],
    },
}


def breaks(context):
    raise KeyError("the callback's own trouble")


def leaves(context):
    sys.exit(5)


def speaks(context):
    print("words of a callback")
    witness.called("speaks", context)


with DAG("a_callback_that_breaks", schedule=None, on_failure_callback=[breaks, speaks]):

    @task(on_success_callback=[breaks, speaks])
    def fine():
        pass

    @task(on_failure_callback=[breaks, speaks])
    def fails():
        raise RuntimeError("the task's own trouble")

    @task(on_execute_callback=breaks)
    def goes_on():
        witness.saw("goes_on")

    [fine(), goes_on()] >> fails()
