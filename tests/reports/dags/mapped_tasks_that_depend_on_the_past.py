"""A mapped task with depends_on_past waits for the run before, also where that run mapped over fewer values or none.

apache/airflow#28296, apache/airflow#24027.
"""

from __future__ import annotations

import pendulum
import witness
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"mapped_tasks_that_depend_on_the_past": ["success", "success", "success"]},
    "play": "unpause",
}

with DAG(
    "mapped_tasks_that_depend_on_the_past",
    schedule="@daily",
    start_date=pendulum.datetime(2026, 3, 1, tz="UTC"),
    end_date=pendulum.datetime(2026, 3, 3, tz="UTC"),
    catchup=True,
    max_active_runs=1,
):

    @task
    def values(ds=None):
        return {"2026-03-01": [], "2026-03-02": [1], "2026-03-03": [1, 2, 3]}.get(ds, [])

    @task(depends_on_past=True)
    def mapped(value, ds=None):
        witness.saw("mapped", day=ds, value=value)
        return value

    @task(trigger_rule="none_failed", depends_on_past=True)
    def total(found, ds=None):
        witness.saw("total", day=ds, values=sorted(found or []))

    total(mapped.expand(value=values()))
