"""A running task that is cleared is stopped and runs again, without a failure callback.

apache/airflow#55045, apache/airflow#16680, apache/airflow#33661: stuck in restarting.
"""

from __future__ import annotations

import os
import time

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"cleared_while_it_runs": "success"}, "play": "clear_while_running"}

with DAG("cleared_while_it_runs", schedule=None):

    @task(on_failure_callback=lambda context: witness.called("failed", context))
    def works(dag_run=None):
        first = os.path.join(os.path.dirname(os.environ["SITE_JOURNAL"]), f"first-{dag_run.dag_id}")
        if not os.path.exists(first):
            open(first, "w").close()
            witness.saw("works")
            time.sleep(90)
            witness.saw("not_stopped")
        witness.saw("again")

    works()
