"""A task's state and an asset's state are there in the next try and the next run.

apache/airflow#66842, apache/airflow#72100, apache/airflow#66595.
"""

from __future__ import annotations

from datetime import timedelta

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"what_a_task_keeps_between_tries": ["success", "success"]}, "play": "trigger_twice"}

with DAG("what_a_task_keeps_between_tries", schedule=None):

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def keeps(task_state_store=None, ti=None, dag_run=None):
        found = task_state_store.get("job")
        witness.saw("found", run=dag_run.run_id, value=found)
        task_state_store.set("job", {"id": 7, "try": ti.try_number})
        task_state_store.set("a key/with slash", "text")
        if ti.try_number == 1:
            raise RuntimeError("again")
        witness.saw(
            "other", value=task_state_store.get("a key/with slash"), absent=task_state_store.get("absent")
        )
        task_state_store.delete("a key/with slash")
        witness.saw("deleted", value=task_state_store.get("a key/with slash"))

    keeps()
