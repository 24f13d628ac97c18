"""A task that leaves a program running ends in time, and its successor runs.

apache/airflow#48928: `sleep & exit` kept the task alive. apache/airflow#23540.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time

import witness
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"processes_that_are_left_behind": "success"}}

with DAG("processes_that_are_left_behind", schedule=None):

    @task
    def leaves_a_child():
        subprocess.Popen(["sleep", "20"])
        return "left"

    @task
    def leaves_a_session():
        subprocess.Popen(
            ["sleep", "20"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if os.fork() == 0:
            os.setsid()
            time.sleep(20)
            os._exit(0)

    @task
    def leaves_a_thread():
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()

    @task
    def follows(value):
        witness.saw("follows", value=value)

    BashOperator(task_id="bash", bash_command="sleep 20 >/dev/null 2>&1 & echo gone on")
    leaves_a_session()
    leaves_a_thread()
    follows(leaves_a_child())
