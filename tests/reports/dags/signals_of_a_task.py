"""A task uses alarms, handlers and waits for children of its own; an interrupt ends it as under LocalExecutor.

apache/airflow#44626, apache/airflow#14672: signals met handlers that somebody else had set.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import witness
from airflow.sdk import DAG, task

SCENARIO = {
    "ends": {"signals_of_a_task": "failed"},
    "differs": {"seen: * handler: SIGQUIT=*": "LocalExecutor leaves its scheduler's handler there"},
}

with DAG("signals_of_a_task", schedule=None):

    @task
    def alarms():
        got = []
        signal.signal(signal.SIGALRM, lambda number, frame: got.append(number))
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        time.sleep(0.5)
        witness.saw("alarm", got=got == [signal.SIGALRM])

    @task
    def handlers():
        names = [
            "SIGINT",
            "SIGTERM",
            "SIGHUP",
            "SIGCHLD",
            "SIGPIPE",
            "SIGUSR1",
            "SIGUSR2",
            "SIGALRM",
            "SIGQUIT",
        ]
        for name in names:
            handler = signal.getsignal(getattr(signal, name))
            said = handler.name if isinstance(handler, signal.Handlers) else getattr(handler, "__name__", "?")
            witness.saw("handler", **{name: said})
        witness.saw(
            "mask", blocked=sorted(each.name for each in signal.pthread_sigmask(signal.SIG_BLOCK, []))
        )
        witness.saw(
            "thread",
            main=threading.current_thread() is threading.main_thread(),
            count=threading.active_count(),
        )

    @task
    def children():
        ended = []
        signal.signal(signal.SIGCHLD, lambda number, frame: ended.append(number))
        code = subprocess.run(["sh", "-c", "kill -TERM $$"]).returncode
        witness.saw("child", code=code, ended=len(ended) > 0)
        try:
            os.waitpid(-1, os.WNOHANG)
            witness.saw("children", left=True)
        except ChildProcessError:
            witness.saw("children", left=False)

    @task
    def interrupted():
        try:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        except KeyboardInterrupt:
            witness.saw("interrupted")

    alarms()
    handlers()
    children()
    interrupted()
