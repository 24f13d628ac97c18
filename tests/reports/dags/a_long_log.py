"""Twenty thousand lines arrive, none is lost or doubled, also from several threads at once.

apache/airflow#63921, apache/airflow#59634: the same with much output.
"""

from __future__ import annotations

import logging
import threading

from airflow.sdk import DAG, task

log = logging.getLogger(__name__)

SCENARIO = {
    "ends": {"a_long_log": "success"},
    "lines": {"a_long_log/much": ["line 00000", "line 19999"], "a_long_log/threads": ["thread 3 line 499"]},
}

with DAG("a_long_log", schedule=None):

    @task
    def much():
        for number in range(20_000):
            print(f"line {number:05d}")

    @task
    def threads():
        def speak(name):
            for number in range(500):
                log.info("thread %s line %03d", name, number)

        speaking = [threading.Thread(target=speak, args=(name,)) for name in range(4)]
        for each in speaking:
            each.start()
        for each in speaking:
            each.join()

    much()
    threads()
