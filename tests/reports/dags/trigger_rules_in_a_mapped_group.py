"""one_failed and none_failed_min_one_success look at their own map index, and wait for it.

apache/airflow#59289, apache/airflow#39801, apache/airflow#34023.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task, task_group

SCENARIO = {
    "ends": {"trigger_rules_in_a_mapped_group": "success", "min_one_success_in_a_mapped_group": "success"}
}

with DAG("trigger_rules_in_a_mapped_group", schedule=None):

    @task
    def records():
        return ["a", "b", "c"]

    @task_group
    def deliver(record):
        @task
        def send(r):
            if r == "b":
                raise RuntimeError(f"cannot send {r}")
            return r

        @task(trigger_rule="one_failed")
        def complain(r):
            witness.saw("complain", record=r)

        @task(trigger_rule="one_success")
        def rejoice(r):
            witness.saw("rejoice", record=r)

        send(record) >> [complain(record), rejoice(record)]

    deliver.expand(record=records())

with DAG(
    "min_one_success_in_a_mapped_group",
    schedule=None,
    default_args={"trigger_rule": "none_failed_min_one_success"},
):

    @task
    def the_list():
        return ["one", "two"]

    @task_group
    def group(x):
        @task
        def start(y):
            return y

        @task
        def middle(y):
            witness.saw("middle", y=y)
            return y

        @task
        def end(y):
            witness.saw("end", y=y)

        end(middle(start(x)))

    group.expand(x=the_list())
