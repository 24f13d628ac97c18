"""Rows of a cursor's fetchall, sets and nested tuples are read back with their types.

apache/airflow#47195, apache/airflow#39448: tuples came back as lists, or could not be written at all.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"xcom_keeps_tuples": "success"}}

VALUES = {
    "rows": [(1, "one", None), (2, "two", 2.5)],
    "one_row": (1, (2, (3, [4, (5,)]))),
    "in_a_dict": {"rows": [(1,)], "empty": (), "deep": {"pair": ("a", "b")}},
    "sets": {"a": {1, 2}, "b": frozenset({"x"})},
    "empty": [],
    "texts": ["", " ", "\n"],
}

with DAG("xcom_keeps_tuples", schedule=None):

    @task
    def write(ti=None):
        for name, value in VALUES.items():
            ti.xcom_push(key=name, value=value)
        return VALUES["rows"]

    @task
    def read(rows, ti=None):
        witness.saw("read", rows=rows)
        for name in VALUES:
            witness.saw("pulled", name=name, value=ti.xcom_pull(task_ids="write", key=name))

    @task
    def one(row):
        witness.saw("one", row=row)

    rows = write()
    read(rows)
    one.expand(row=rows)
