"""A task that writes a variable reads it back, or is told at once why it may not.

apache/airflow#49005, apache/airflow#49141, apache/airflow#44358.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, Variable, task

SCENARIO = {
    "ends": {"variables_that_tasks_write": "success"},
    "differs_under_strict": {
        "seen: only under LocalExecutor*.writes* written: *": "under strict no value leaves the site",
        "seen: only under LocalExecutor*.writes* deleted: *": "the same",
        "seen: only on an agent*.writes* refused: *": "the write is refused, and the task is told so",
        "log */writes*too short (<5 chars)*": "LocalExecutor masks the variable that it wrote",
    },
}

with DAG("variables_that_tasks_write", schedule=None):

    @task
    def writes():
        try:
            Variable.set("written_by_a_task", {"a": 1}, serialize_json=True)
            witness.saw("written", value=Variable.get("written_by_a_task", deserialize_json=True))
            Variable.delete("written_by_a_task")
            witness.saw("deleted", value=Variable.get("written_by_a_task", default="gone"))
        except Exception as problem:
            witness.saw("refused", type=type(problem).__name__)

    writes()
