"""The Dag of site us."""

from __future__ import annotations

import site_journal
from airflow.sdk import DAG, task

with DAG("us_flow", schedule=None):

    @task
    def there():
        site_journal.write("there")

    there()
