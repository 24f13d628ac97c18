"""The plane's own Dag."""

from __future__ import annotations

import site_journal
from airflow.sdk import DAG, task

with DAG("planes_own", schedule=None):

    @task
    def here():
        site_journal.write("here")

    here()
