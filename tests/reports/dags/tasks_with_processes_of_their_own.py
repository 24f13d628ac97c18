"""Pools of processes work in a task, forked or spawned, and their words are in the log.

apache/airflow#13298, apache/airflow#14896, apache/airflow#15501: daemonic processes are not allowed to have children.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os

import witness
from airflow.sdk import DAG, task
from shared_work import square

SCENARIO = {
    "ends": {"tasks_with_processes_of_their_own": "success"},
    "lines": {"tasks_with_processes_of_their_own/forks": ["a child says something"]},
}

with DAG("tasks_with_processes_of_their_own", schedule=None):

    @task
    def pool(how):
        pool = multiprocessing.get_context(how).Pool(2)
        witness.saw("pool", how=how, squares=pool.map(square, range(4)))
        # Not `with`: its terminate() hangs now and then, since Airflow's task leaves its children deaf to SIGTERM.
        pool.close()
        pool.join()

    @task
    def executor():
        with concurrent.futures.ProcessPoolExecutor(2) as executor:
            witness.saw("executor", squares=list(executor.map(square, range(4))))

    @task
    def manager():
        with multiprocessing.Manager() as manager:
            shared = manager.dict()
            process = multiprocessing.Process(target=shared.update, args=({"a": 1},))
            process.start()
            process.join()
            witness.saw("manager", shared=dict(shared), daemon=multiprocessing.current_process().daemon)

    @task
    def forks():
        pid = os.fork()
        if pid == 0:
            print("a child says something", flush=True)
            os._exit(4)
        witness.saw("forked", status=os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    for how in ("fork", "spawn", "forkserver"):
        pool.override(task_id=how)(how)
    executor()
    manager()
    forks()
