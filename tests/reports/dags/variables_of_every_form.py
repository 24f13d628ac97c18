"""Variables are read in tasks, templates, callbacks and while the file is parsed, also with Airflow 2's import.

apache/airflow#50666, apache/airflow#50880, apache/airflow#47920; astronomer/astronomer-cosmos#1684: KeyError at parse time.
"""

from __future__ import annotations

import witness
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, Variable, task

SCENARIO = {
    "ends": {"variables_of_every_form": "success"},
    "differs_under_strict": {
        "log *is in none of this site's secrets backends*": "a strict site says where it looked, and what to do"
    },
}

try:
    NAMES = Variable.get("task_names", deserialize_json=True)
except KeyError:
    NAMES = ["not_found"]
DEFAULT = Variable.get("absent_at_parse", default="default at parse")

with DAG(
    "variables_of_every_form",
    schedule=None,
    on_success_callback=lambda context: witness.called("run", context, variable=Variable.get("plain")),
):

    @task
    def named(name):
        witness.saw("parsed", name=name, default=DEFAULT)

    all_named = [named.override(task_id=name)(name) for name in NAMES]

    @task
    def reads(var=None):
        witness.saw("plain", value=Variable.get("plain"), number=Variable.get("number"))
        witness.saw("json", value=Variable.get("as_json", deserialize_json=True), raw=Variable.get("as_json"))
        witness.saw(
            "default", value=Variable.get("absent", default=None), other=Variable.get("absent", default=[1])
        )
        witness.saw("context", value=var["value"].plain, json=var["json"].as_json)
        for key in ("absent", "a/b", "with blank"):
            try:
                Variable.get(key)
            except Exception as problem:
                witness.saw("absent", key=key, type=type(problem).__name__)

    @task
    def with_the_model():
        from airflow.models import Variable as Model

        witness.saw("model", value=Model.get("plain"), json=Model.get("as_json", deserialize_json=True))
        witness.saw("model_default", value=Model.get("absent", default_var="default"))

    templated = BashOperator(
        task_id="templated",
        bash_command="echo {{ var.value.plain }} {{ var.json.as_json.list[1] }} {{ var.value.get('absent', 'fallback') }}",
    )
    [*all_named, reads(), templated] >> with_the_model()
