"""Marking a running task as successful stops it, and what follows it runs.

apache/airflow#48928: the task failed with an error about the database.
"""

from __future__ import annotations

import time

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"marked_success_while_it_runs": "success"}, "play": "mark_success_while_running"}

with DAG("marked_success_while_it_runs", schedule=None):

    @task
    def works():
        witness.saw("works")
        time.sleep(90)
        witness.saw("not_stopped")

    @task
    def follows():
        witness.saw("follows")

    works() >> follows()
