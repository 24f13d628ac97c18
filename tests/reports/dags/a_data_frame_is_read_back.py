"""A data frame and a series pass from task to task, also mapped.

apache/airflow#48511, apache/airflow#70791.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"a_data_frame_is_read_back": "success"}}

with DAG("a_data_frame_is_read_back", schedule=None):

    @task
    def write():
        import pandas

        return pandas.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"]})

    @task
    def read(frame):
        witness.saw("read", type=type(frame).__name__, frame=frame.to_dict("list"), sum=int(frame["a"].sum()))
        return frame.head(1)

    read.override(task_id="read_again")(read(write()))
