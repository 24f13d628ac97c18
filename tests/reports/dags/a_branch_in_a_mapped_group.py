"""A branch in a mapped group decides for its own map index only.

apache/airflow#30883, apache/airflow#65745, apache/airflow#67439.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task, task_group

SCENARIO = {
    "ends": {"a_branch_in_a_mapped_group": "success"},
    "differs": {"log *each.choose*Skipping tasks*": "a set, in the order of the moment"},
}

with DAG("a_branch_in_a_mapped_group", schedule=None):

    @task
    def kinds():
        return ["full", "partial", "full", "none"]

    @task_group
    def each(kind):
        @task.branch
        def choose(k):
            return {"full": "each.whole", "partial": "each.half"}.get(k)

        @task
        def whole(k):
            witness.saw("whole", kind=k)

        @task
        def half(k):
            witness.saw("half", kind=k)

        @task(trigger_rule="none_failed")
        def end(k):
            witness.saw("end", kind=k)

        choose(kind) >> [whole(kind), half(kind)] >> end(kind)

    each.expand(kind=kinds())
