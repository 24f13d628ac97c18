"""A Dag of a site whose plane has LocalExecutor first."""

from __future__ import annotations

import logging
import os
import time

from airflow.sdk import DAG, task

log = logging.getLogger(__name__)

_GO = os.environ.get("SITE_WATCHED", "/nonexistent") + "-go"

with DAG("sites_own", schedule=None):

    @task(executor="tradewind_provider.executor.RemoteExecutor")
    def talk():
        log.info("first words at the site")
        while not os.path.exists(_GO):
            time.sleep(0.2)
        log.info("last words at the site")

    talk()
