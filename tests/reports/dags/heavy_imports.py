"""Libraries imported at the top, in a task and lazily behave in each task as in a process of its own.

apache/airflow#14896, apache/airflow#64628: state that a library keeps from its import: pids, threads, pools, caches.
"""

from __future__ import annotations

import asyncio
import decimal
import os
import sqlite3
import ssl
import threading
import time
import uuid

import httpx
import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"heavy_imports": "success"}}

STARTED = time.monotonic()

with DAG("heavy_imports", schedule=None):

    @task
    def uses(n):
        with sqlite3.connect(":memory:") as database:
            database.execute("create table t (a, b)")
            database.executemany("insert into t values (?, ?)", [(1, "x"), (n, "y")])
            rows = database.execute("select * from t order by a").fetchall()
        witness.saw("rows", rows=rows)
        witness.saw("client", open=not httpx.Client().is_closed, tls=ssl.create_default_context() is not None)
        witness.saw("parsed_here", recently=time.monotonic() - STARTED < 60)
        decimal.getcontext().prec = 5
        return rows, str(uuid.uuid4())

    @task
    def compares(results):
        rows = [each[0] for each in results]
        witness.saw(
            "compared", rows=rows, ids=len({each[1] for each in results}), precision=decimal.getcontext().prec
        )
        witness.saw(
            "threads",
            count=threading.active_count(),
            loop=asyncio.run(asyncio.sleep(0, "ran")),
            child=os.getpid() > 1,
        )

    compares(uses.expand(n=[2, 3, 4]))
