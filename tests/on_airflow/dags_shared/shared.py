"""One Dag whose tasks run in two places: it is in a bundle of the plane's own, and at the site."""

from __future__ import annotations

import site_journal
from airflow.sdk import DAG, task

with DAG("shared", schedule=None):

    @task
    def here():
        site_journal.write("ran", where="here")

    @task(executor="tradewind_provider.executor.RemoteExecutor")
    def there():
        site_journal.write("ran", where="there")

    here() >> there()

with DAG("many", schedule=None, max_active_tasks=64):

    @task(executor="tradewind_provider.executor.RemoteExecutor")
    def numbers():
        return list(range(40))

    @task(executor="tradewind_provider.executor.RemoteExecutor")
    def one(n):
        site_journal.write("one", n=n)

    one.expand(n=numbers())
