"""Dags, groups, tasks and run ids with dots, dashes and other letters run, and their logs are read.

apache/airflow#42136, apache/airflow#66877: ids are parts of paths of logs, XComs and links.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, TaskGroup, task

SCENARIO = {
    "ends": {"names.that-are_not.plain": "success"},
    "lines": {"names.that-are_not.plain/group-1.inner.über": ["read me"]},
}

with DAG("names.that-are_not.plain", schedule=None, dag_display_name="Anzeige: Ümläute 日本"):
    with TaskGroup("group-1"), TaskGroup("inner", prefix_group_id=True):

        @task(task_id="über", task_display_name="Über / alles")
        def speaks():
            print("read me")
            return ("value",)

        said = speaks()

    @task(task_id="x" * 200)
    def long_name(value):
        witness.saw("value", value=value)

    @task(task_id="1.2.3")
    def numbers(n):
        return n

    long_name(said)
    numbers.expand(n=["ä/b", "c d"])
