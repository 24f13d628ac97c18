"""A trigger reads connections and variables, awaited or not.

apache/airflow#55747, apache/airflow#55901: "You cannot use AsyncToSync in the same thread as an async event loop".
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, BaseOperator
from report_triggers import Reads

SCENARIO = {
    "ends": {"triggers_that_read_secrets": "success"},
    "differs_under_strict": {
        "log *is in none of this site's secrets backends*": "a strict site says where it looked, and what to do"
    },
}


class Asks(BaseOperator):
    """Defers to a trigger that reads."""

    def execute(self, context):
        self.defer(trigger=Reads(self.dag_id), method_name="end")

    def end(self, context, event=None):
        witness.saw("told", **event)


with DAG("triggers_that_read_secrets", schedule=None):
    Asks(task_id="asks")
