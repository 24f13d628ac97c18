"""A notifier renders its fields with the context of the task or of the run.

apache/airflow#50754: Slack notifications stopped.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task
from airflow.sdk.bases.notifier import BaseNotifier

SCENARIO = {"ends": {"a_notifier_with_templates": "failed"}, "conf": {"channel": "alerts"}}


class Notifier(BaseNotifier):
    """Writes down what it would send."""

    template_fields = ("text", "fields")

    def __init__(self, text, fields=None, **kwargs):
        super().__init__(**kwargs)
        self.text, self.fields = text, fields

    def notify(self, context):
        witness.called("notified", context, text=self.text, fields=self.fields)


with DAG(
    "a_notifier_with_templates",
    schedule=None,
    on_failure_callback=[Notifier("Run {{ run_id }} of {{ dag.dag_id }} failed: {{ reason }}")],
):

    @task(
        on_failure_callback=Notifier(
            "{{ ti.task_id }} failed: {{ exception }}",
            {
                "date": "{{ ds }}",
                "to": ["#{{ dag_run.conf['channel'] }}"],
                "variable": "{{ var.value.plain }}",
            },
        )
    )
    def fails():
        raise ValueError("with <angle> brackets & a quote '")

    fails()
