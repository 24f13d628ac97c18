"""The Dag of site us."""

from __future__ import annotations

import site_journal
from airflow.sdk import DAG, Asset, task

with DAG("us_flow", schedule=None):

    @task
    def there():
        site_journal.write("there")

    there()


with DAG("us_makes", schedule=None):

    @task(outlets=[Asset("shared")])
    def make():
        site_journal.write("made")

    make()

with DAG("us_uses", schedule=[Asset("shared")]):

    @task
    def use():
        site_journal.write("used_there")

    use()
