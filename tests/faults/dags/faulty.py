"""Tasks that witness their own start and end, and tasks that misbehave in every way there is."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import witness
from airflow.sdk import DAG, Param, task

PARAMS = {"seconds": Param(2.0, type="number")}


def many(dag_id, count, **arguments):
    with DAG(dag_id, schedule=None, params=PARAMS, max_active_tasks=10_000, max_active_runs=100):

        @task(**arguments)
        def work(number, params=None, ti=None):
            span = witness.Span(ti)
            span.work(params["seconds"])
            span.say("end")

        work.expand(number=list(range(count)))


for count in (1, 4, 20, 200):
    many(f"work_{count}", count)
    many(f"again_{count}", count, retries=1, retry_delay=timedelta(seconds=1))

many("often_200", 200, retries=50, retry_delay=timedelta(seconds=1))

many("patient_1", 1, queue="patient")
many("patient_4", 4, queue="patient")

with DAG("chain", schedule=None, params=PARAMS):
    before = None
    for number in range(8):

        @task(task_id=f"link_{number}")
        def link(params=None, ti=None):
            span = witness.Span(ti)
            span.work(params["seconds"])
            span.say("end")

        this = link()
        if before is not None:
            before >> this
        before = this


def misbehaving(function):
    """A Dag of one task, named after the function."""
    with DAG(function.__name__, schedule=None, params=PARAMS):

        @task(task_id="work")
        def work(params=None, ti=None):
            span = witness.Span(ti)
            function(span)
            span.say("end")

        work()


@misbehaving
def killed(span):
    os.kill(os.getpid(), signal.SIGKILL)


@misbehaving
def exits(span):
    os._exit(3)


@misbehaving
def exits_silently(span):
    os._exit(0)


@misbehaving
def crashes(span):
    ctypes.string_at(0)


@misbehaving
def supervisor_killed(span):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


@misbehaving
def deaf(span):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    span.work(600)


@misbehaving
def orphans(span):
    for session in (False, True):
        child = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"],
            start_new_session=session,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        span.say("orphan", child=child.pid)


@misbehaving
def holds_the_pipes(span):
    """A grandchild that keeps stdout open after its parent has ended."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    span.say("orphan", child=child.pid)


@misbehaving
def eats(span):
    """All the memory there is; on a machine that has more than 6 GB to give it stops there."""
    held = [b"x" * 10_000_000 for _ in range(600)]
    span.say("had enough", blocks=len(held))


@misbehaving
def closes(span):
    os.closerange(0, 256)


@misbehaving
def floods(span):
    line = "x" * 200
    for _ in range(100_000):
        print(line)


@misbehaving
def hangs_at_exit(span):
    import atexit

    atexit.register(time.sleep, 600)
