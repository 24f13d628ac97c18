"""A sensor in reschedule mode keeps its first date, backs off, times out without a retry, or fails softly.

apache/airflow#48193, apache/airflow#66784, apache/airflow#58679, apache/airflow#32512.
"""

from __future__ import annotations

import os
from datetime import timedelta

import witness
from airflow.sdk import DAG, BaseSensorOperator, PokeReturnValue, task

SCENARIO = {
    "ends": {"sensors_that_are_rescheduled": "failed"},
    "differs": {
        "log *times_out*": "how often it pokes depends on the machine",
        "log *fails_softly*": "the same",
        "log *backs_off*| new reschedule interval is *": "its jitter is a hash of the task's start",
    },
}


class Counts(BaseSensorOperator):
    """Pokes until it has done so a number of times."""

    def __init__(self, pokes, **kwargs):
        super().__init__(mode="reschedule", poke_interval=1, **kwargs)
        self.pokes = pokes

    def poke(self, context):
        count = os.path.join(
            os.path.dirname(os.environ["SITE_JOURNAL"]), f"pokes-{self.dag_id}-{self.task_id}"
        )
        with open(count, "a") as file:
            file.write(".")
        return PokeReturnValue(is_done=os.path.getsize(count) >= self.pokes, xcom_value=("after", self.pokes))


with DAG("sensors_that_are_rescheduled", schedule=None):
    backs_off = Counts(task_id="backs_off", pokes=3, exponential_backoff=True, max_wait=timedelta(seconds=3))
    Counts(
        task_id="times_out",
        pokes=1000,
        timeout=4,
        retries=2,
        retry_delay=timedelta(seconds=1),
        on_failure_callback=lambda context: witness.called("failed", context),
    )
    Counts(task_id="fails_softly", pokes=1000, timeout=3, soft_fail=True)

    @task
    def after(value):
        witness.saw("after", value=value)

    after(backs_off.output)
