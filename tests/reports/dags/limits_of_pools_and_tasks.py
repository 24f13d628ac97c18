"""Pools with slots and max_active_tis_per_dag hold, whoever runs the tasks.

apache/airflow#29474, apache/airflow#57604, apache/airflow#29416.
"""

from __future__ import annotations

import fcntl
import os
import time

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"limits_of_pools_and_tasks": "success"}, "play": "add_a_pool"}


def most_at_once(name):
    """How many hold one of ten locks with me for a moment."""
    folder = os.path.join(os.path.dirname(os.environ["SITE_JOURNAL"]), f"limit-{name}")
    os.makedirs(folder, exist_ok=True)
    own = open(os.path.join(folder, str(os.getpid())), "w")
    fcntl.flock(own, fcntl.LOCK_EX)
    most = 0
    for _ in range(10):
        held = 0
        for each in os.listdir(folder):
            with open(os.path.join(folder, each)) as other:
                try:
                    fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    held += 1
        most = max(most, held)
        time.sleep(0.1)
    return most


with DAG("limits_of_pools_and_tasks", schedule=None):

    @task(pool="limits_of_pools_and_tasks")
    def pooled(n):
        witness.saw("pooled", within=most_at_once("pooled") <= 2)

    @task(pool="limits_of_pools_and_tasks", pool_slots=2)
    def heavy(n):
        witness.saw("heavy", within=most_at_once("heavy") <= 1)

    @task(max_active_tis_per_dag=1)
    def alone(n):
        witness.saw("alone", within=most_at_once("alone") <= 1)

    pooled.expand(n=[1, 2, 3, 4]) >> heavy.expand(n=[1, 2])
    alone.expand(n=[1, 2, 3])
