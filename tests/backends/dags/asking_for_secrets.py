"""A connection and a variable, asked for wherever a Dag asks. Dags bear the site's name."""

from __future__ import annotations

import os
import sys
import threading

import site_journal
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, BaseHook, Connection, Variable, task
from asking_for_secrets_later import AsksInATrigger, write

NAME = os.environ["SITE_NAME"]


def called_back(context):
    write("callback", BaseHook.get_connection("warehouse"), Variable.get("limit"))


write("top", BaseHook.get_connection("warehouse"), Variable.get("limit"))

with DAG(f"{NAME}_everywhere", schedule=None):

    @task(on_success_callback=called_back)
    def in_a_task():
        write("task", Connection.get("warehouse"), Variable.get("limit"))

    @task
    def in_a_hook_of_a_thread():
        def hook():
            write("thread", BaseHook.get_connection("warehouse"), Variable.get("limit"))

        thread = threading.Thread(target=hook)
        thread.start()
        thread.join()

    @task
    def of_airflow_2():
        """A hook that was written for Airflow 2, and the model."""
        from airflow.models import Connection as Model

        write("model", Model.get_connection_from_secrets("warehouse"), Variable.get("limit"))

    @task.external_python(python=sys.executable)
    def in_another_interpreter():
        from airflow.sdk import BaseHook, Variable
        from asking_for_secrets_later import write

        write("external_python", BaseHook.get_connection("warehouse"), Variable.get("limit"))

    # Only where the tests have built wheels for it: there is no package index to install from.
    if wheels := os.environ.get("SITE_WHEELS"):

        @task.virtualenv(
            requirements=["site-libraries"],
            pip_install_options=["--no-index", "--find-links", wheels],
            system_site_packages=False,
        )
        def in_a_virtualenv():
            from airflow.sdk import BaseHook, Variable
            from asking_for_secrets_later import write

            write("virtualenv", BaseHook.get_connection("warehouse"), Variable.get("limit"))

        in_a_virtualenv()

    @task
    def lists():
        site_journal.write("listed", missing=Variable.get("no-such", default="by default"))

    in_a_task()
    in_a_hook_of_a_thread()
    of_airflow_2()
    in_another_interpreter()
    lists()
    AsksInATrigger(task_id="in_a_trigger")
    BashOperator(
        task_id="in_a_template",
        bash_command='echo \'{"event": "asked", "where": "template", "password": "{{ conn.warehouse.password }}",'
        ' "variable": "{{ var.value.limit }}"}\' >> $SITE_JOURNAL',
        append_env=True,
    )
