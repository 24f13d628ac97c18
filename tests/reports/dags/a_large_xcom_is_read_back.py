"""Megabytes of XCom arrive whole, and a task that reads them does not hang.

apache/airflow#48852: a list of lists never arrived. apache/airflow#64628: a large value blocked the heartbeat.
"""

from __future__ import annotations

import hashlib

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"a_large_xcom_is_read_back": "success"}}

with DAG("a_large_xcom_is_read_back", schedule=None):

    @task
    def lists():
        return [list(range(100)) for _ in range(1000)]

    @task
    def text():
        return "äöü\n" * 1_500_000

    @task
    def read(matrix, words):
        witness.saw("matrix", rows=len(matrix), last=matrix[-1][-1])
        witness.saw("words", length=len(words), digest=hashlib.sha256(words.encode()).hexdigest())

    read(lists(), text())
