"""A library that sets up logging anew does not take the task's log away from the tasks after it.

apache/airflow#64481, apache/airflow#9006: basicConfig, dictConfig and handlers of the Dag's own.
"""

from __future__ import annotations

import logging
import logging.config
import sys

from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"logging_set_up_by_the_task": "success"},
    "lines": {"logging_set_up_by_the_task/afterwards": ["as always"]},
}

with DAG("logging_set_up_by_the_task", schedule=None):

    @task
    def basic():
        logging.basicConfig(level=logging.DEBUG, format="own format: %(message)s", force=True)
        logging.getLogger("own").info("after basicConfig")
        raise RuntimeError("basic fails")

    @task
    def by_dict():
        logging.config.dictConfig(
            {
                "version": 1,
                "disable_existing_loggers": True,
                "handlers": {"own": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}},
                "root": {"handlers": ["own"], "level": "INFO"},
            }
        )
        logging.getLogger("own").info("after dictConfig")
        logging.getLogger("airflow.task").info("a disabled logger")

    @task
    def own_handler():
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("handled: %(message)s"))
        logger = logging.getLogger("handled")
        logger.addHandler(handler)
        logger.propagate = False
        logger.warning("through a handler of its own")
        logging.disable(logging.CRITICAL)
        logger.warning("disabled")

    @task(trigger_rule="all_done")
    def afterwards():
        logging.getLogger(__name__).info("as always")
        logging.getLogger("own").info("also this")

    [basic(), by_dict(), own_handler()] >> afterwards()
