"""An event's payload arrives in the resumed method with its types, beside the arguments given at the deferral.

apache/airflow#22942: the payload was lost beside other arguments. apache/airflow#54781: complex objects broke the triggerer.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import witness
from airflow.sdk import DAG, BaseOperator
from report_triggers import Says

SCENARIO = {
    "ends": {"payloads_of_trigger_events": "success"},
    "differs": {
        "log *only on an agent: info | - | *rigger *": "LocalExecutor shows the lines of one of a task's two triggers",
        "log *only on an agent: info | report_triggers.Says*": "the same",
    },
}

PAYLOADS = {
    "nothing": None,
    "text": "plain",
    "nested": {"status": "success", "rows": [1, 2.5, None, True]},
    "moment": {"at": datetime(2026, 1, 1, tzinfo=timezone.utc), "took": timedelta(seconds=90)},
    "pair": ("a", ("b",)),
}


class Waits(BaseOperator):
    """Defers twice, with arguments, and returns what it was told."""

    template_fields = ("stamp",)

    def __init__(self, payload, stamp="{{ ds }}", **kwargs):
        super().__init__(**kwargs)
        self.payload, self.stamp = payload, stamp

    def execute(self, context):
        context["ti"].xcom_push(key="before", value=self.stamp)
        self.defer(
            trigger=Says(self.payload), method_name="again", kwargs={"started": self.stamp, "pair": (1, 2)}
        )

    def again(self, context, started, pair, event=None):
        witness.saw("first", started=started, pair=pair, event=event, stamp=self.stamp)
        self.defer(trigger=Says(event), method_name="end", kwargs={"count": 2}, timeout=timedelta(minutes=5))

    def end(self, context, count, event=None):
        pulled = context["ti"].xcom_pull(task_ids=self.task_id, key="before")
        witness.saw("second", count=count, event=event, before=pulled, attempt=context["ti"].try_number)
        return event


with DAG("payloads_of_trigger_events", schedule=None):
    for name, payload in PAYLOADS.items():
        Waits(task_id=name, payload=payload)
    Waits.partial(task_id="mapped").expand(payload=[{"n": 1}, {"n": 2}])
