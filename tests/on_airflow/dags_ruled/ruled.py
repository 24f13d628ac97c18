"""A Dag for rules of the site's owner to judge, with an operator that is not its own."""

from __future__ import annotations

from datetime import timedelta

import site_journal
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import TaskDeferred

with DAG("ruled", schedule=None):

    @task
    def say(dag_run=None):
        site_journal.write("ruled", run=dag_run.run_id)

    say()

with DAG("ruled_shell", schedule=None):
    BashOperator(task_id="shell", bash_command="true", pre_execute=lambda _: site_journal.write("shell"))

with DAG("ruled_wait", schedule=None):

    @task
    def wait(again=None):
        raise TaskDeferred(trigger=TimeDeltaTrigger(timedelta(seconds=1)), method_name="execute")

    wait()
