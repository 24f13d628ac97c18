"""A Dag imports packages of its bundle: at its top, in a task, in a callback, in a process it starts.

apache/airflow#49838, apache/airflow#51282, apache/airflow#53617, apache/airflow#56783.
"""

from __future__ import annotations

import subprocess
import sys

import witness
from airflow.sdk import DAG, task
from team_a import helpers

SCENARIO = {"ends": {"modules_of_the_bundle": "success"}}


def late(context):
    from team_a.constants import PREFIX

    witness.called("late", context, prefix=PREFIX)


with DAG("modules_of_the_bundle", schedule=None, on_success_callback=late):

    @task(on_success_callback=late)
    def inside():
        from team_a.helpers import whole

        witness.saw("inside", name=whole("task"), top=helpers.whole("top"), same=helpers.whole is whole)
        witness.saw("file", file=__file__, module=helpers.__file__)

    @task
    def outside():
        code = "import team_a.helpers as h; print(h.whole('child'))"
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        witness.saw("outside", out=child.stdout.strip(), code=child.returncode)

    inside() >> outside()
