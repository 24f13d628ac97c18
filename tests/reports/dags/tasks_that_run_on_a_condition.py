"""run_if and skip_if look at the context in the task's process: also mapped, and for programs and other interpreters.

apache/airflow#41832: their source reached the other interpreter. apache/airflow#42824, apache/airflow#44205.
"""

from __future__ import annotations

import sys

import witness
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"tasks_that_run_on_a_condition": "success"},
    "lines": {"tasks_that_run_on_a_condition/skips": ["not on such a day"]},
}


def said(context):
    """Conditions see parameters, the run and the task."""
    return context["params"]["wanted"] and context["dag_run"].run_id and context["ti"].map_index != 1


with DAG("tasks_that_run_on_a_condition", schedule=None, params={"wanted": True}):

    @task.run_if(said)
    @task
    def runs():
        witness.saw("runs")

    @task.skip_if(lambda context: (context["ds"] == "2026-03-02", "not on such a day"))
    @task
    def skips():
        witness.saw("must not run")

    @task.run_if(said)
    @task
    def mapped(number):
        witness.saw("mapped", number=number)

    @task.skip_if(lambda context: False)
    @task.bash
    def program():
        return "echo of a program"

    @task.skip_if(lambda context: False)
    @task.external_python(python=sys.executable, expect_airflow=False)
    def elsewhere():
        return "from there"

    @task(trigger_rule="none_failed")
    def after(value):
        witness.saw("after", value=value)

    runs()
    mapped.expand(number=[1, 2, 3])
    program()
    [skips()] >> after(elsewhere())
