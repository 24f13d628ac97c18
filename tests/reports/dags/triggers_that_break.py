"""A trigger that raises, ends without an event, or cannot be written down fails its task with a reason, and others go on.

apache/airflow#60120, apache/airflow#60152: one event that could not be serialized stopped the whole triggerer.
"""

from __future__ import annotations

from datetime import timedelta

import witness
from airflow.sdk import DAG, BaseOperator
from report_triggers import Breaks, Says, Sleeps

SCENARIO = {
    "ends": {"triggers_that_break": "failed"},
    "differs": {
        "log *unserializable*: info | - | *rigger *": "Airflow may run a trigger again before it hears that it failed",
        "log triggers_that_break/*: error | - | Trigger *exited *": "Airflow may close a trigger's log before it has read the last line",
        "seen: only under LocalExecutor*: triggers_that_break.unserializable* failed: *": "LocalExecutor may hear of the deferral when the task is queued again, and call the callback once more",
    },
    "differs_under_strict": {
        "log *Trigger failed:*": "a trigger's traceback reaches its task by the plane, so it has no source lines"
    },
    "lines": {"triggers_that_break/raises": ["the trigger cannot connect"]},
}


class Waits(BaseOperator):
    """Defers to a trigger."""

    def __init__(self, trigger, wait=None, **kwargs):
        super().__init__(**kwargs)
        self.waits_for, self.wait = trigger, wait

    def execute(self, context):
        self.defer(trigger=self.waits_for, method_name="end", timeout=self.wait)

    def end(self, context, event=None):
        witness.saw("ended", event=event)


with DAG(
    "triggers_that_break",
    schedule=None,
    default_args={"on_failure_callback": lambda context: witness.called("failed", context)},
):
    Waits(task_id="raises", trigger=Breaks("raises"))
    Waits(task_id="ends", trigger=Breaks("ends"))
    Waits(task_id="unserializable", trigger=Breaks("unserializable"))
    Waits(task_id="fine", trigger=Says("fine"))
    Waits(task_id="too_late", trigger=Sleeps(), wait=timedelta(seconds=3))
