"""Keys with slashes, backslashes, blanks and other letters are written and read, and so are dict keys of outputs.

apache/airflow#54952, apache/airflow#47889: a key is part of a path in the API, and a file's name in many backends.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"xcom_takes_any_key": "success"}}

KEYS = [
    "a/b",
    "a\\b",
    "with blank",
    "no\u00a0break",
    "zero\u200dwidth",
    "\ufeffmark",
    "ümläut",
    "日本語",
    "percent%2Fencoded",
    "../up",
    ".",
    "question?mark=1&x",
    "hash#tag",
    "quote'\"",
    "UPPER",
    "upper",
    "k" * 200,
]

with DAG("xcom_takes_any_key", schedule=None):

    @task
    def write(ti=None):
        for key in KEYS:
            try:
                ti.xcom_push(key=key, value=f"value of {key}")
            except Exception as problem:
                witness.saw("refused", key=key, type=type(problem).__name__)

    @task
    def read(ti=None):
        for key in KEYS:
            try:
                witness.saw("pulled", key=key, value=ti.xcom_pull(task_ids="write", key=key))
            except Exception as problem:
                witness.saw("not_read", key=key, type=type(problem).__name__)

    @task(multiple_outputs=True)
    def outputs():
        return {"first key": 1, "second/key": (2, 3)}

    @task
    def take(first, second):
        witness.saw("outputs", first=first, second=second)

    write() >> read()
    both = outputs()
    take(both["first key"], both["second/key"])
