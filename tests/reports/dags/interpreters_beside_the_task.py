"""@task.virtualenv, @task.external_python and @task.bash work at a site, with the context they ask for.

apache/airflow#54766, apache/airflow#50752, apache/airflow#56783, apache/airflow#41039.
"""

from __future__ import annotations

import sys

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"interpreters_beside_the_task": "failed"}}

with DAG("interpreters_beside_the_task", schedule=None):

    @task.virtualenv(requirements=[], system_site_packages=False)
    def in_a_virtualenv(numbers):
        print("words of the virtualenv")
        return {"sum": sum(numbers), "isolated": True}

    @task.external_python(python=sys.executable, expect_airflow=False)
    def beside(text, ds=None):
        return [text, ds]

    @task.external_python(python=sys.executable, expect_airflow=False)
    def beside_fails():
        raise ValueError("in the other interpreter")

    @task.bash
    def in_bash(text):
        return f"echo 'words of bash'; echo {text}"

    @task
    def sees(one, two, three):
        witness.saw("results", one=one, two=two, three=three)

    sees(in_a_virtualenv([1, 2, 3]), beside("given"), in_bash("last line"))
    beside_fails()
