"""Tasks of a worker process whose values and logs go to a bucket."""

from __future__ import annotations

import logging
import os
import signal
import time

from airflow.sdk import DAG, task

log = logging.getLogger("site.code")

with DAG("worker_host", schedule=None):

    @task
    def returns():
        import pandas

        log.info("it returns")
        return {"nested": (1, ("two", [3.0])), "frame": pandas.DataFrame({"a": [1, 2]})}

    @task
    def pulls(ti=None):
        value = ti.xcom_pull(task_ids="returns")
        log.info("pulled %r and %s", value["nested"], value["frame"].to_dict("list"))

    @task
    def dies():
        log.info("last words")
        time.sleep(1)
        os.kill(os.getppid(), signal.SIGKILL)

    @task
    def goes_on():
        for number in range(4):
            log.info("line %s", number)
            time.sleep(3)

    returns() >> pulls()
    dies()
    goes_on()
