"""Every way a task can behave, for the worker process's tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path  # noqa: F401 (the plane may try to have it called)

from airflow.sdk import DAG, task
from airflow.sdk.bases.operator import BaseOperator
from airflow.sdk.bases.sensor import BaseSensorOperator


class Defers(BaseOperator):
    def execute(self, context):
        from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger

        self.defer(trigger=TimeDeltaTrigger(timedelta(hours=1)), method_name="resume")

    def resume(self, context, event=None):
        print(f"resumed with {event}", flush=True)


class CleansUp(BaseOperator):
    """Sleeps until it is asked to stop, as an operator with work elsewhere does."""

    def execute(self, context):
        forever()

    def on_kill(self):
        print("on_kill called", flush=True)
        sys.exit(7)


class Pokes(BaseSensorOperator):
    def poke(self, context):
        return False


def forever() -> None:
    print(f"sleeping {os.getpid()}", flush=True)
    while True:
        time.sleep(60)


with DAG("worker_host", schedule=None):

    @task
    def succeeds():
        print("first line")
        return {"answer": [42, None]}

    @task
    def shows_itself():
        print(f"task {os.getpid()}", flush=True)

    @task
    def links():
        from airflow.sdk import get_current_context

        print(f"see {get_current_context()['ti'].log_url}")

    @task
    def reads():
        from airflow.sdk import get_current_context

        value = get_current_context()["ti"].xcom_pull(task_ids="succeeds")
        print(f"read {value!r}")

    @task
    def fails():
        raise ValueError("on purpose")

    @task
    def sleeps():
        forever()

    @task
    def can_be_looked_into():
        """Airflow keeps other processes of the same user from reading a task's memory; a task can allow it again."""
        import ctypes

        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE
        forever()

    @task
    def ignores_sigterm():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        forever()

    @task
    def crashes():
        import ctypes

        ctypes.string_at(0)

    @task
    def leaves_orphans():
        """A grandchild in a session of its own, whose parent ends at once, and a child that stays."""
        script = (
            "import os, time\n"
            "if os.fork() == 0:\n"
            "    os.setsid()\n"
            "    if os.fork() == 0:\n"
            "        print('orphan', os.getpid(), flush=True); os.close(0); os.close(1); os.close(2)\n"
            "        time.sleep(600)\n"
            "    os._exit(0)\n"
            "os.wait()\n"
        )
        subprocess.run([sys.executable, "-S", "-c", script], check=True)

    @task
    def orphans_then_sleeps():
        child = subprocess.Popen(["sleep", "600"], start_new_session=True)
        print(f"child {child.pid}", flush=True)
        forever()

    @task
    def spawns_many_short_orphans():
        subprocess.run(["sh", "-c", "for i in 1 2 3 4 5; do (setsid true &) ; done"], check=True)
        forever()

    @task
    def shows_descriptors():
        for name in sorted(os.listdir("/proc/self/fd"), key=int):
            if os.path.lexists("/proc/self/fd/" + name):
                print(f"descriptor {name} {os.readlink('/proc/self/fd/' + name)}")
        print("environment " + " ".join(sorted(os.environ)))
        print("arguments " + open("/proc/self/cmdline").read().replace("\0", " "))

    @task
    def reads_the_site():
        from airflow.sdk import BaseHook, Variable

        print(f"variable {Variable.get('site_only')}")
        print(f"host of the connection {BaseHook.get_connection('site_only').host}")
        print(f"elsewhere {Variable.get('elsewhere', default='nowhere')}")

    @task
    def opens_the_database():
        from airflow.utils.session import create_session

        with create_session() as session:
            session.execute("select 1")

    @task.short_circuit
    def skips():
        return False

    @task
    def after():
        pass

    (
        succeeds(),
        shows_itself(),
        links(),
        reads(),
        fails(),
        sleeps(),
        can_be_looked_into(),
        ignores_sigterm(),
        crashes(),
        leaves_orphans(),
        orphans_then_sleeps(),
    )
    spawns_many_short_orphans(), shows_descriptors(), reads_the_site(), opens_the_database()
    skips() >> after()
    CleansUp(task_id="cleans_up")
    Defers(task_id="defers")
    Pokes(task_id="pokes", mode="reschedule", poke_interval=60)


def callback(**kwargs):
    print(f"callback called with {kwargs}")
