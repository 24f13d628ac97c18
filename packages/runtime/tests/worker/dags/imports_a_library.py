"""Imports a library that a worker process has no need of itself."""

from __future__ import annotations

import os
import time
import wave  # noqa: F401

from airflow.sdk import DAG, task

with DAG("imports_a_library", schedule=None):

    @task
    def sleeps():
        print(f"sleeping {os.getpid()}", flush=True)
        time.sleep(600)

    sleeps()
