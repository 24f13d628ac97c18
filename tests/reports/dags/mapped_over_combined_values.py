"""Values are zipped, concatenated, transformed and filtered, and labels come from the task or its template.

apache/airflow#24021, apache/airflow#38902: a label is kept when the task fails.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, get_current_context, task
from airflow.sdk.exceptions import AirflowSkipException

SCENARIO = {"ends": {"mapped_over_combined_values": "failed"}}

with DAG("mapped_over_combined_values", schedule=None):

    @task
    def numbers():
        return [1, 2, 3]

    @task
    def words():
        return ["a", "b"]

    @task
    def take(pair):
        witness.saw("take", pair=pair)

    @task(map_index_template="{{ task.op_kwargs['x'] }}/{{ task.op_kwargs['y'] }}")
    def product(x, y):
        witness.saw("product", x=x, y=y)

    @task(map_index_template="{{ own_label }}")
    def labelled(n):
        get_current_context()["own_label"] = f"number {n}"
        if n == 2:
            raise RuntimeError("the label stays")

    @task
    def kwargs():
        return [{"a": 1, "b": (2, 3)}, {"a": 4, "b": None}]

    @task
    def called(a, b):
        witness.saw("called", a=a, b=b)

    def only_odd(n):
        if n % 2 == 0:
            raise AirflowSkipException(f"{n} is even")
        return n * 100

    take.expand(pair=numbers().zip(words(), fillvalue="none"))
    take.override(task_id="concatenated").expand(pair=numbers().concat(words()))
    take.override(task_id="filtered").expand(pair=numbers().map(only_odd))
    product.partial(y="same").expand(x=numbers())
    product.override(task_id="squared").expand(x=[1, 2], y=["p", "q"])
    labelled.expand(n=numbers())
    called.expand_kwargs(kwargs())
