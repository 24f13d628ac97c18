"""Every line a task says in any way is in its log, with the traceback of its end.

apache/airflow#59634, apache/airflow#58965, apache/airflow#21013: lines of some loggers were missing.
"""

from __future__ import annotations

import logging
import sys
import warnings

import structlog
from airflow.sdk import DAG, BaseOperator, task

log = logging.getLogger(__name__)

SCENARIO = {
    "ends": {"every_line_of_a_task_log": "failed"},
    "lines": {
        "every_line_of_a_task_log/speaks": [
            "module logger info",
            "airflow.task logger",
            "structlog line",
            "printed line",
            "to stderr",
            "a warning of a library",
            "KeyError('the cause')",
            "RuntimeError(the end)",
        ],
        "every_line_of_a_task_log/operator": ["the operator's own log"],
    },
}


class Speaks(BaseOperator):
    """An operator that logs as operators do."""

    def execute(self, context):
        self.log.info("the operator's own log %s", "with arguments")
        self.log.debug("a line that nobody asked for")
        self.log.error("an error line")


with DAG("every_line_of_a_task_log", schedule=None):
    Speaks(task_id="operator")

    @task
    def speaks():
        log.info("module logger info")
        log.warning("module logger warning %(name)s", {"name": "with a mapping"})
        log.error("module logger error")
        logging.getLogger().info("root logger")
        logging.getLogger("airflow.task").info("airflow.task logger")
        logging.getLogger("a.library").setLevel(logging.DEBUG)
        logging.getLogger("a.library").debug("debug of a library that asked for it")
        structlog.get_logger().info("structlog line", key="value", nested={"a": 1})
        structlog.get_logger("named").warning("named structlog line")
        print("printed line")
        print("printed without an end", end="")
        print("", flush=True)
        print("to stderr", file=sys.stderr)
        print("a line\nand another\n\nafter an empty one")
        print("umlauts äöü, kana カ, emoji 🙂, tab\t, escape \x1b[32mgreen\x1b[0m")
        warnings.warn("a warning of a library", UserWarning, stacklevel=1)
        print("::group::A group of the Dag's own")
        print("inside")
        print("::endgroup::")
        log.info('{"looks": "like JSON", "level": "critical"}')
        log.info("percent %d and {braces}")
        try:
            raise KeyError("the cause")
        except KeyError as cause:
            log.exception("caught")
            raise RuntimeError("the end") from cause

    @task
    def says_nothing():
        pass

    @task
    def fails_without_a_word():
        raise AssertionError

    speaks()
    says_nothing()
    fails_without_a_word()
