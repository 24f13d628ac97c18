"""A Dag for rules of the site's owner to judge, with an operator that is not its own."""

from __future__ import annotations

import site_journal
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

with DAG("ruled", schedule=None):

    @task
    def say(dag_run=None):
        site_journal.write("ruled", run=dag_run.run_id)

    say()

with DAG("ruled_shell", schedule=None):
    BashOperator(task_id="shell", bash_command="true", pre_execute=lambda _: site_journal.write("shell"))
