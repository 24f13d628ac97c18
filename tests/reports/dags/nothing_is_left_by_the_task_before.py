"""What a task changes in its process is not there in the next one: environment, folder, modules, locale, seeds.

apache/airflow#6627, apache/airflow#14896: tasks are forked, and must look as if they were not.
"""

from __future__ import annotations

import builtins
import locale
import os
import random
import socket
import sys
import tempfile
import time

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"nothing_is_left_by_the_task_before": "success"}}

COUNT = 0

with DAG("nothing_is_left_by_the_task_before", schedule=None):

    @task
    def changes():
        global COUNT
        COUNT += 1
        os.environ["LEFT_BEHIND"] = "yes"
        os.environ["TZ"] = "Asia/Tokyo"
        time.tzset()
        os.chdir("/")
        os.umask(0o077)
        sys.path.append("/left/behind")
        sys.modules["left_behind"] = sys
        builtins.left_behind = True
        sys.setrecursionlimit(5000)
        socket.setdefaulttimeout(1)
        tempfile.tempdir = "/left"
        locale.setlocale(locale.LC_ALL, "C")
        random.seed(1)

    @task
    def finds():
        umask = os.umask(0o022)
        witness.saw(
            "found",
            count=COUNT,
            environment=os.environ.get("LEFT_BEHIND"),
            zone=os.environ.get("TZ"),
            root=os.getcwd() == "/",
            umask=umask,
            path="/left/behind" in sys.path,
            module="left_behind" in sys.modules,
            builtin=hasattr(builtins, "left_behind"),
            recursion=sys.getrecursionlimit(),
            timeout=socket.getdefaulttimeout(),
            tempdir=tempfile.tempdir,
        )

    @task(show_return_value_in_logs=False)
    def rolls(n):
        return random.random()

    @task
    def compares(rolled):
        witness.saw("rolled", different=len(set(rolled)) == len(list(rolled)))

    changes() >> finds() >> finds.override(task_id="finds_again")()
    compares(rolls.expand(n=[1, 2, 3, 4, 5]))
