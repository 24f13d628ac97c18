"""A task killed with SIGKILL is tried again, its failure is called back once, and its log says what happened.

apache/airflow#60858: reported as success and no callback. apache/airflow#65400: on_failure_callback although retries were
left. apache/airflow#55602: the log names the likely reason.
"""

from __future__ import annotations

import os
import signal
from datetime import timedelta

import witness
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"a_task_that_is_killed": "failed"},
    "differs": {
        "* a_task_that_is_killed/1/segfault*": "under LocalExecutor a task goes on after SIGSEGV, for ever when it is a"
        " real one: Airflow's importer leaves a handler there; at a site the crash fails it",
        "seen: only on an agent: a_task_that_is_killed.segfault*": "and its callback is called",
        "* a_task_that_is_killed/1/terminates_itself*": "a task without on_kill ends by SIGTERM; LocalExecutor ignores it",
        "seen: only on an agent: a_task_that_is_killed.terminates_itself*": "and its callback is called",
    },
    "lines": {"a_task_that_is_killed/killed": ["before the kill"]},
}


def failed(context):
    witness.called("failed", context)


def retried(context):
    witness.called("retried", context)


with DAG("a_task_that_is_killed", schedule=None):

    @task(retries=1, retry_delay=timedelta(seconds=1), on_failure_callback=failed, on_retry_callback=retried)
    def killed(ti=None):
        print("before the kill", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    @task(on_failure_callback=failed)
    def segfault():
        os.kill(os.getpid(), signal.SIGSEGV)

    @task(on_failure_callback=failed)
    def terminates_itself():
        os.kill(os.getpid(), signal.SIGTERM)

    killed()
    segfault()
    terminates_itself()
