"""A schedule catches up run after run, each with its interval in its zone, over a change of the clock.

apache/airflow#41526, apache/airflow#28016, apache/airflow#43131: depends_on_past, prev_…_success, data intervals.
"""

from __future__ import annotations

import pendulum
import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"runs_of_the_past": ["success", "success", "success"]}, "play": "unpause"}

with DAG(
    "runs_of_the_past",
    schedule="30 2 * * *",
    start_date=pendulum.datetime(2026, 3, 28, tz="Europe/Berlin"),
    end_date=pendulum.datetime(2026, 3, 30, 3, tz="Europe/Berlin"),
    catchup=True,
    max_active_runs=1,
    default_args={"depends_on_past": True},
):

    @task
    def loads(
        ti=None, ds=None, ts=None, data_interval_start=None, data_interval_end=None, dag_run=None, **context
    ):
        witness.saw(
            "interval",
            ds=ds,
            ts=ts,
            start=data_interval_start,
            end=data_interval_end,
            type=str(dag_run.run_type),
            before=str(context["prev_data_interval_start_success"]),
        )
        return ds

    @task(wait_for_downstream=True)
    def follows(day, ti=None):
        witness.saw("follows", day=day, before=ti.xcom_pull(task_ids="loads", include_prior_dates=True))

    follows(loads())
