"""A value whose comparison is neither true nor false is written and read back.

apache/airflow#48511: "The truth value of a DataFrame is ambiguous" when it was read. Here with a class of the Dag's own,
so that no side needs pandas.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task
from shared_values import Column, Order

SCENARIO = {"ends": {"xcom_keeps_values_that_compare_by_element": "success"}}

with DAG("xcom_keeps_values_that_compare_by_element", schedule=None):

    @task
    def write(ti=None):
        ti.xcom_push(key="order", value=Order(7, ["a", "b"]))
        return Column([1, "two", None])

    @task
    def read(column, ti=None):
        witness.saw("read", column=column, order=ti.xcom_pull(task_ids="write", key="order"))

    @task
    def read_in_a_list(columns):
        witness.saw("read_in_a_list", columns=columns)

    column = write()
    read(column)
    read_in_a_list([column, column])
