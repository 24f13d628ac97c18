"""A task with a log. Dags bear the site's name."""

from __future__ import annotations

import logging
import os

from airflow.sdk import DAG, task

with DAG(f"{os.environ['SITE_NAME']}_logged", schedule=None):

    @task
    def talks():
        logging.getLogger("site.code").info("a line of the site")

    talks()
