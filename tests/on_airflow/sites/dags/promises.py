"""What Dags do everywhere, in small. Every site of the matrix runs this file; its Dags bear the site's name."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from datetime import timedelta

import site_journal
from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, BaseHook, Variable, task

NAME = os.environ["SITE_NAME"]
OTHER_QUEUE = os.environ.get("SITE_OTHER_QUEUE", "default")
log = logging.getLogger("site.code")


def retried(context):
    site_journal.write("called_back", task=context["ti"].task_id, site=NAME)


with DAG(f"{NAME}_promises", schedule=None):

    @task
    def numbers():
        return [1, 2, 3]

    @task
    def square(number):
        return number * number

    @task
    def total(squares):
        site_journal.write("total", value=sum(squares), site=NAME)
        return sum(squares)

    @task
    def elsewhere(value):
        site_journal.write("elsewhere", value=value, prefix=sys.prefix, site=NAME)

    @task(retries=1, retry_delay=timedelta(seconds=1), on_retry_callback=retried)
    def second_try(ti=None):
        log.info("words of try %s", ti.try_number)
        if ti.try_number == 1:
            raise RuntimeError("as planned")

    @task
    def asks():
        connection = BaseHook.get_connection("site_http")
        variable = Variable.get("site_variable")
        site_journal.write("asked", password=connection.password, variable=variable, site=NAME)

    elsewhere.override(queue=OTHER_QUEUE)(total(square.expand(number=numbers())))
    second_try()
    asks()
    TimeDeltaSensor(task_id="waits", delta=timedelta(seconds=1), deferrable=True)
    BashOperator(task_id="renders", bash_command="echo rendered {{ var.value.site_variable | length }}")

with DAG(f"{NAME}_fails", schedule=None):

    @task
    def talks_and_fails():
        print("printed")
        logging.getLogger("airflow.task").info("of Airflow's logger")
        for number in range(5):
            log.info("line %s", number)
        log.warning("a warning")
        warnings.warn("of Python", stacklevel=1)
        print("to standard error", file=sys.stderr)
        raise ValueError("as planned")

    talks_and_fails()

with DAG(f"{NAME}_built", schedule=None):

    @task
    def builds_models():
        """As Dag files written for Airflow 2 do."""
        from airflow.models import Connection
        from airflow.models import Variable as Model

        made = Connection(conn_id="made", conn_type="http", host="example.com")
        site_journal.write("built", uri=made.get_uri(), key=Model(key="k", val="v").key, site=NAME)

    builds_models()
