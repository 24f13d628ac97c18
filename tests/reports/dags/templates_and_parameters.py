"""Templates are rendered with parameters, macros, files and native types as under LocalExecutor.

apache/airflow#49695, apache/airflow#24325, apache/airflow#22360, apache/airflow#16529.
"""

from __future__ import annotations

import witness
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, BaseOperator, Param, task

SCENARIO = {
    "ends": {"templates_and_parameters": "failed", "native_templates": "success"},
    "conf": {"count": 3, "file_path": "a/b/c.csv"},
}


class Part:
    """A value with templates of its own."""

    template_fields = ("text",)

    def __init__(self, text):
        self.text = text


class Rendered(BaseOperator):
    """Writes down what was rendered."""

    template_fields = ("sql", "nested", "part")
    template_ext = (".sql",)

    def __init__(self, sql, nested, part, **kwargs):
        super().__init__(**kwargs)
        self.sql, self.nested, self.part = sql, nested, part

    def execute(self, context):
        witness.saw("rendered", sql=self.sql, nested=self.nested, part=self.part.text)


parameters = {
    "count": Param(1, type="integer", minimum=0),
    "file_path": Param("default", type="string"),
    "since": Param("2026-01-01", type="string", format="date"),
    "optional": Param(None, type=["null", "object"]),
}

with DAG(
    "templates_and_parameters",
    schedule=None,
    params=parameters,
    user_defined_macros={"own": lambda text: f"<{text}>"},
    user_defined_filters={"twice": lambda text: text * 2},
    template_searchpath=[__file__.rsplit("/", 1)[0] + "/sql"],
):
    Rendered(
        task_id="rendered",
        sql="report.sql",
        nested={
            "{{ ds }}": ["{{ params.count }}", ("{{ params.file_path.split('/')[-1] }}",)],
            "none": "{{ none }}",
        },
        part=Part("{{ own(ds_nodash) }}{{ 'ab' | twice }}"),
    )
    BashOperator(
        task_id="bash",
        bash_command="echo '{{ params.since }} {{ macros.ds_add(ds, 5) }} {{ ts_nodash }} {{ params }}'",
    )
    BashOperator(task_id="undefined", bash_command="echo {{ no_such_name.attribute }}")
    BashOperator(task_id="syntax", bash_command="echo {{ ds ")

    @task
    def reads(params=None, dag_run=None, templates_dict=None):
        witness.saw("params", params=dict(params), conf=dag_run.conf, templates=templates_dict)

    reads.override(templates_dict={"a": "{{ ds }}"})()

with DAG("native_templates", schedule=None, params=parameters, render_template_as_native_obj=True):
    PythonOperator(
        task_id="native",
        python_callable=lambda **kwargs: witness.saw(
            "native", **{name: kwargs[name] for name in ("count", "conf", "date", "rows", "text")}
        ),
        op_kwargs={
            "count": "{{ params.count }}",
            "conf": "{{ dag_run.conf }}",
            "date": "{{ logical_date }}",
            "rows": "{{ ti.xcom_pull(task_ids='gives') }}",
            "text": "0012",
        },
    ).set_upstream(task(task_id="gives")(lambda: [(1, "a"), (2, "b")])())
