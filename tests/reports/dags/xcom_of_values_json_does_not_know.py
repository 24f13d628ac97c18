"""NaN, infinities, lone surrogates and NUL end as they end under LocalExecutor, or arrive.

apache/airflow#62686, apache/airflow#53812: NaN in an XCom broke requests and migrations.
"""

from __future__ import annotations

import math

import witness
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"xcom_of_values_json_does_not_know": "success"},
    "differs": {
        "seen: only under LocalExecutor*.write* refused: *": "what the metadata database refuses",
        "seen: only under LocalExecutor*.read* pulled: value=None": "is not there afterwards",
        "seen: only on an agent*.read* pulled: value=list?dict{*float nan*}?": "fits into a site's storage",
        "seen: only on an agent*.read* pulled: value=float inf": "the same",
        "seen: only on an agent*.read* pulled: value=str 'lone *udcff surrogate'": "the same",
        "seen: only on an agent*.read* pulled: value=str 'a*x00b'": "the same",
        "log */write?-1? try 1: only under LocalExecutor*": "the refusal is in the log",
    },
}

VALUES = {
    "nan": [{"day": "2026-06-07", "count": math.nan}],
    "infinite": math.inf,
    "surrogate": "lone \udcff surrogate",
    "nul": "a\x00b",
    "emoji": "🙂" * 3,
    "control": "\x1b[31mred\x1b[0m",
}

with DAG("xcom_of_values_json_does_not_know", schedule=None):

    @task
    def write(ti=None):
        for name, value in VALUES.items():
            try:
                ti.xcom_push(key=name, value=value)
            except Exception as problem:
                witness.saw("refused", name=name, type=type(problem).__name__)

    @task
    def read(ti=None):
        for name in VALUES:
            witness.saw("pulled", name=name, value=ti.xcom_pull(task_ids="write", key=name))

    write() >> read()
