"""A short circuit skips what follows in its own map index, by its trigger rules where it says so.

apache/airflow#48845, apache/airflow#55225.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task, task_group

SCENARIO = {
    "ends": {"a_short_circuit_in_a_mapped_group": "success", "a_short_circuit_before_mapped": "success"}
}

with DAG("a_short_circuit_in_a_mapped_group", schedule=None):

    @task_group
    def each(n):
        @task.short_circuit
        def even(m):
            return m % 2 == 0

        @task
        def after(m):
            witness.saw("after", m=m)

        even(n) >> after(n)

    @task(trigger_rule="all_done")
    def at_last():
        witness.saw("at_last")

    each.expand(n=[1, 2, 3, 4]) >> at_last()

with DAG("a_short_circuit_before_mapped", schedule=None, default_args={"trigger_rule": "none_failed"}):

    @task.short_circuit(ignore_downstream_trigger_rules=False)
    def stop():
        return False

    @task
    def mapped(x):
        witness.saw("mapped", x=x)

    @task
    def publish():
        witness.saw("publish")

    stop() >> mapped.expand(x=[1, 2]) >> publish()
