"""Failing for good and skipping use no retry, and call back what belongs to them.

apache/airflow#40936: on_success_callback ran for a skipped task. apache/airflow#36374: on_skipped_callback.
"""

from __future__ import annotations

from datetime import timedelta

import witness
from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

SCENARIO = {"ends": {"ends_that_are_not_tried_again": "success"}}

with DAG(
    "ends_that_are_not_tried_again",
    schedule=None,
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=1),
        "on_retry_callback": lambda context: witness.called("retry", context),
        "on_success_callback": lambda context: witness.called("success", context),
        "on_failure_callback": lambda context: witness.called("failure", context),
        "on_skipped_callback": lambda context: witness.called("skipped", context),
    },
):

    @task
    def fails_for_good():
        raise AirflowFailException("no use in trying")

    @task
    def skips():
        raise AirflowSkipException("not today")

    @task
    def after_a_skip():
        witness.saw("after_a_skip")

    @task(trigger_rule="all_done")
    def whatever_happens():
        witness.saw("whatever_happens")

    skips() >> after_a_skip()
    fails_for_good() >> whatever_happens()
