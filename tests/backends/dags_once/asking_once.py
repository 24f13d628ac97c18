"""One task that asks for what its run names."""

from __future__ import annotations

import os
from datetime import timedelta

import site_journal
from airflow.sdk import DAG, BaseHook, Variable, task

with DAG(f"{os.environ['SITE_NAME']}_once", schedule=None):

    @task(retries=0, execution_timeout=timedelta(seconds=90))
    def asks(dag_run=None):
        given = dag_run.conf
        if "connection" in given:
            found = BaseHook.get_connection(given["connection"]).password
        else:
            found = Variable.get(given["variable"])
        site_journal.write("once", asked=given, found=found)

    asks()
