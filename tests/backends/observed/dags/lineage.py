"""Dags whose tasks end in each way that an OpenLineage event tells."""

from __future__ import annotations

import time
from datetime import timedelta

import site_journal
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, Asset, BaseOperator, ObjectStoragePath, PokeReturnValue, task
from airflow.sdk.exceptions import AirflowSkipException


class Waits(BaseOperator):
    """Deferred once, for long enough that LocalExecutor has noticed."""

    def execute(self, context):
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=10)), method_name="resumed")

    def resumed(self, context, event):
        return "resumed"


with DAG("lineage", schedule=None, tags=["of-the-site"], doc_md="SECRET-DOC-of-the-dag"):

    @task(outlets=[Asset("s3://warehouse/report.parquet")])
    def reports():
        with ObjectStoragePath(f"file://{__file__}").open("rb") as file:
            file.read()
        return "SECRET-SOURCE-of-a-task"

    @task
    def numbers():
        return [1, 2, 3]

    @task
    def double(n):
        return n * 2

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def second_try(ti=None):
        if ti.try_number == 1:
            raise RuntimeError("SECRET-ERROR-of-the-first-try")

    @task
    def skips():
        raise AirflowSkipException("nothing to do")

    @task.sensor(poke_interval=1, timeout=60, mode="reschedule")
    def pokes(task_reschedule_count=None):
        return PokeReturnValue(is_done=bool(task_reschedule_count))

    reports()
    double.expand(n=numbers())
    second_try()
    skips()
    pokes()
    Waits(task_id="waits")
    BashOperator(task_id="shell", bash_command="echo SECRET-COMMAND")
    TriggerDagRunOperator(
        task_id="starts", trigger_dag_id="lineage_fails", logical_date="{{ logical_date.isoformat() }}"
    )

with DAG("lineage_fails", schedule=None):

    @task
    def fails():
        raise RuntimeError("SECRET-ERROR-of-a-task")

    fails()

with DAG("lineage_lost", schedule=None):

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def lost(ti=None):
        site_journal.write("lost", attempt=ti.try_number)
        if ti.try_number == 1:
            time.sleep(600)

    lost()
