"""A task starts another Dag's run and waits for it, holding a slot or deferred; a sensor waits for it as well.

apache/airflow#60049, apache/airflow#51906, apache/airflow#66877.
"""

from __future__ import annotations

import witness
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"runs_that_start_runs": "success", "started_by_another": ["success", "success", "success"]},
    "triggers": ["runs_that_start_runs"],
    "play": "trigger_asset_consumers_too",
    "differs": {
        "log *Waiting for dag run to complete*": "how often it looks depends on the machine",
        "log *Poking for Dag*": "the same",
        "log */waits*": "the same: each poke is a start of the task",
    },
}

with DAG("started_by_another", schedule=None):

    @task
    def child(dag_run=None, params=None):
        witness.saw("child", run=dag_run.run_id, conf=dag_run.conf, type=str(dag_run.run_type))

    child()

with DAG("runs_that_start_runs", schedule=None):
    started = {"trigger_dag_id": "started_by_another", "poke_interval": 2}
    holds = TriggerDagRunOperator(
        task_id="holds",
        trigger_run_id="held",
        conf={"from": "{{ run_id }}"},
        wait_for_completion=True,
        **started,
    )
    defers = TriggerDagRunOperator(
        task_id="defers",
        trigger_run_id="deferred",
        logical_date="{{ logical_date }}",
        conf={"pair": [1, 2]},
        wait_for_completion=True,
        deferrable=True,
        **started,
    )
    forgets = TriggerDagRunOperator(task_id="forgets", trigger_run_id="forgotten", deferrable=True, **started)
    waits = ExternalTaskSensor(
        task_id="waits",
        external_dag_id="started_by_another",
        external_task_id="child",
        mode="reschedule",
        poke_interval=2,
        timeout=120,
    )
    waits_deferred = ExternalTaskSensor(
        task_id="waits_deferred",
        external_dag_id="started_by_another",
        deferrable=True,
        poke_interval=2,
        timeout=120,
    )
    holds >> defers >> forgets >> [waits, waits_deferred]
