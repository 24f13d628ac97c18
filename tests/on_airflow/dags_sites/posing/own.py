"""What a site would put in place of the Dag of the plane."""

from __future__ import annotations

import site_journal
from airflow.sdk import DAG, task

with DAG("planes_own", schedule=None):

    @task
    def elsewhere():
        site_journal.write("elsewhere")

    elsewhere()
