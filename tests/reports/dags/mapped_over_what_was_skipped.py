"""Tasks mapped over a skipped task end in the states of their trigger rules.

apache/airflow#51320, apache/airflow#52730, apache/airflow#37091.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task, task_group
from airflow.sdk.exceptions import AirflowSkipException

SCENARIO = {"ends": {"mapped_over_what_was_skipped": "success", "after_a_skipped_mapped_group": "success"}}

with DAG("mapped_over_what_was_skipped", schedule=None):

    @task
    def skip():
        raise AirflowSkipException("nothing today")

    @task(trigger_rule="all_done")
    def all_done(value):
        witness.saw("all_done", value=value)

    @task
    def all_success(value):
        witness.saw("all_success", value=value)

    @task(trigger_rule="none_failed")
    def none_failed(value):
        witness.saw("none_failed", value=value)

    skipped = skip()
    all_success.expand(value=skipped)
    all_done.expand(value=skipped)
    none_failed.expand(value=skipped)

with DAG("after_a_skipped_mapped_group", schedule=None):

    @task
    def nothing():
        return []

    @task_group
    def each(n):
        @task
        def inner(m):
            witness.saw("inner", m=m)

        inner(n)

    @task(trigger_rule="all_done")
    def last():
        witness.saw("last")

    each.expand(n=nothing()) >> last()
