"""Threads and coroutines of a task read XComs, variables and connections, and an async task ends.

apache/airflow#68377, apache/airflow#59087, apache/airflow#64620: deadlocks between threads, loops and the supervisor.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import witness
from airflow.sdk import DAG, BaseHook, Variable, get_current_context, task

SCENARIO = {"ends": {"threads_and_event_loops": "success"}}

with DAG("threads_and_event_loops", schedule=None):

    @task
    def gives():
        return {"rows": [(1, 2)]}

    @task
    def threads(given, ti=None):
        def read(number):
            return (
                ti.xcom_pull(task_ids="gives"),
                Variable.get("plain"),
                BaseHook.get_connection("masked").login,
                number,
            )

        with ThreadPoolExecutor(8) as pool:
            witness.saw("threads", all=list(pool.map(read, range(16))))

    @task
    def runs_a_loop():
        async def read(number):
            await asyncio.sleep(0.01)
            return await asyncio.to_thread(Variable.get, "plain"), number

        async def all_of_them():
            return await asyncio.gather(*(read(number) for number in range(8)))

        witness.saw("loop", all=asyncio.run(all_of_them()))
        witness.saw("again", all=asyncio.run(all_of_them()))

    @task
    async def awaits(given):
        await asyncio.sleep(0.01)
        witness.saw("awaits", given=given, task=get_current_context()["ti"].task_id)
        return "awaited"

    @task
    async def awaits_and_fails():
        try:
            await asyncio.wait_for(asyncio.sleep(30), timeout=0.1)
        except asyncio.TimeoutError as problem:
            witness.saw("timeout", problem=type(problem).__name__)

    given = gives()
    threads(given)
    awaits(given)
    runs_a_loop()
    awaits_and_fails()
