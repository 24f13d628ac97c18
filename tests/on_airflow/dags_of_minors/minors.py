"""What tasks do, once with each of two minors of Airflow."""

from __future__ import annotations

from datetime import timedelta

import site_journal
from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG, Connection, Variable, get_current_context, task

for minor in ("newer", "older"):
    with DAG(minor, schedule=None, default_args={"queue": f"{minor}-queue"}):

        @task
        def made():
            from importlib.metadata import version

            site_journal.write(
                "ran", dag=get_current_context()["dag"].dag_id, airflow=version("apache-airflow-core")
            )
            assert Variable.get("site_variable") == "SECRET-VARIABLE-value"
            assert Connection.get("site_http").login == "user"
            return [1, 2, 3]

        @task
        def doubled(number):
            return 2 * number

        @task(retries=1, retry_delay=timedelta(seconds=0))
        def summed(numbers):
            assert sum(numbers) == 12
            assert get_current_context()["ti"].try_number == 2, "the first try fails"

        waits = TimeDeltaSensor(task_id="waits", delta=timedelta(seconds=2), deferrable=True)

        @task.short_circuit
        def stops():
            return False

        @task
        def never():
            raise AssertionError("it is skipped")

        summed(doubled.expand(number=made())) >> waits >> stops() >> never()
