"""A task asks for runs and task instances of its Dag and of others, without the database.

apache/airflow#53655: get_previous_dagrun was gone. apache/airflow#51610: ti.queue was gone.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"questions_about_other_runs": ["success", "success"]}, "play": "trigger_twice"}


def of(run):
    return run and (run.run_id, str(run.state), run.logical_date)


with DAG("questions_about_other_runs", schedule=None):

    @task
    def counted(number):
        return number

    @task
    def asks(numbers, ti=None, dag_run=None):
        dag_id, date = ti.dag_id, dag_run.logical_date
        previous = ti.get_previous_ti()
        witness.saw(
            "before",
            any=of(ti.get_previous_dagrun()),
            failed=of(ti.get_previous_dagrun(state="failed")),
            task=previous and (previous.run_id, str(previous.state), previous.try_number),
        )
        witness.saw(
            "counts",
            runs=ti.get_dr_count(dag_id=dag_id, states=["success"]),
            this_run=ti.get_dr_count(dag_id=dag_id, logical_dates=[date]),
            tasks=ti.get_ti_count(dag_id=dag_id, task_ids=["counted"], run_ids=[dag_run.run_id]),
            one=ti.get_ti_count(dag_id=dag_id, map_index=1, task_ids=["counted"], states=["success"]),
            nowhere=ti.get_ti_count(dag_id="of_nobody", states=["success"]),
        )
        witness.saw(
            "states",
            run=ti.get_dagrun_state(dag_id=dag_id, run_id=dag_run.run_id),
            tasks=ti.get_task_states(dag_id=dag_id, task_ids=["counted"], logical_dates=[date]),
            queue=ti.queue,
            paused=ti.get_dag(dag_id).is_paused,
        )
        said = [
            {key: each[key] for key in ("task_id", "map_index", "state")}
            for each in ti.get_task_breadcrumbs(dag_id=dag_id, run_id=dag_run.run_id)
        ]
        witness.saw("breadcrumbs", said=sorted(said, key=str))

    asks(counted.expand(number=[1, 2, 3]))
