"""A Dag full of things that are nobody else's business. SECRET-DOCSTRING-of-the-file"""

from __future__ import annotations

from datetime import timedelta

import site_journal
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, BaseHook, Variable, task

# SECRET-COMMENT-in-the-source

PASSWORD = "SECRET-CONSTANT-in-the-source"

with DAG("marked", schedule=None):

    @task
    def produces():
        return {"customers": ["SECRET-XCOM-returned"]}

    @task
    def uses(given, ti=None):
        connection = BaseHook.get_connection("site_http")
        site_journal.write(
            "used_secrets", password=connection.password, variable=Variable.get("site_variable"), given=given
        )
        ti.xcom_push("pushed", "SECRET-XCOM-pushed")
        print("SECRET-LOG-line", PASSWORD)

    templated = BashOperator(
        task_id="templated",
        bash_command="echo {{ var.value.site_variable }} {{ conn.site_http.password }} $SITE_SECRET",
        env={"SITE_SECRET": "{{ ti.xcom_pull(task_ids='produces')['customers'][0] }}"},
        append_env=True,
    )

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def remembers_and_fails(task_state_store=None, ti=None):
        if ti.try_number == 1:
            task_state_store.set("handle", "SECRET-STATE-kept")
            raise RuntimeError("SECRET-EXCEPTION-" + PASSWORD)
        site_journal.write("remembered_secret", value=task_state_store.get("handle"))

    uses(produces()) >> templated >> remembers_and_fails()
