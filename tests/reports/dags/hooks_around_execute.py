"""pre_execute, post_execute and calls to get_current_context deep inside work, in operators old and new.

apache/airflow#53718, apache/airflow#46613.
"""

from __future__ import annotations

import witness
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseOperator, get_current_context, task

SCENARIO = {"ends": {"hooks_around_execute": "failed"}}


class Around(BaseOperator):
    """An operator with everything around execute."""

    def pre_execute(self, context):
        witness.saw("pre", given=sorted(context)[:3])

    def execute(self, context):
        return {"result": (1, 2)}

    def post_execute(self, context, result=None):
        witness.saw("post", result=result)
        context["ti"].xcom_push(key="from_post", value=[result])


def deep():
    context = get_current_context()
    return context["ti"].task_id, context["task"].retries, context["dag"].tags, context["ti"].operator


with DAG("hooks_around_execute", schedule=None, tags=["b", "a"]):
    around = Around(task_id="around", pre_execute=lambda context: witness.saw("given_pre"))
    PythonOperator(task_id="classic", python_callable=lambda: witness.saw("deep", found=deep()))

    @task(pre_execute=lambda context: (_ for _ in ()).throw(RuntimeError("refused beforehand")))
    def refused():
        witness.saw("never")

    @task
    def after(ti=None):
        witness.saw(
            "pulled",
            value=ti.xcom_pull(task_ids="around"),
            post=ti.xcom_pull(task_ids="around", key="from_post"),
        )

    around >> after()
    refused()
