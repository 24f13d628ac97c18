"""A teardown runs when the work fails, and runs again with its setup when the work is cleared.

apache/airflow#29333, apache/airflow#29329, apache/airflow#68184, apache/airflow#45530.
"""

from __future__ import annotations

import os

import witness
from airflow.sdk import DAG, setup, task, teardown

SCENARIO = {"ends": {"setups_and_teardowns": "success"}, "play": "clear_after_the_end"}

with DAG("setups_and_teardowns", schedule=None):

    @setup
    def cluster():
        witness.saw("cluster")
        return {"id": ("cluster", 7)}

    @teardown(on_failure_fail_dagrun=True)
    def drop(made):
        witness.saw("drop", made=made)

    @task
    def works(made):
        mark = os.path.join(os.path.dirname(os.environ["SITE_JOURNAL"]), "worked-before")
        witness.saw("works", made=made, again=os.path.exists(mark))
        if not os.path.exists(mark):
            open(mark, "w").close()
            raise RuntimeError("the first time")

    made = cluster()
    works(made) >> drop(made)
