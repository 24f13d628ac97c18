"""Each way to pull from mapped tasks gives what it gives under LocalExecutor.

apache/airflow#51568, apache/airflow#46728, apache/airflow#22609: one id, a list of ids, some map indexes, a lazy sequence.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"xcom_pull_sees_mapped_tasks": "success"}}

with DAG("xcom_pull_sees_mapped_tasks", schedule=None):

    @task
    def plain():
        return "plain"

    @task
    def mapped(n, ti=None):
        ti.xcom_push(key="other", value={"n": n})
        return n * 10 if n != 2 else None

    @task
    def read(lazy, ti=None):
        witness.saw("lazy", type=type(lazy).__name__, length=len(lazy), all=list(lazy))
        witness.saw(
            "lazy_parts", first=lazy[0], last=lazy[-1], slice=lazy[1:3], step=lazy[::2], back=lazy[::-1]
        )
        for ids in ("plain", ["plain"], "mapped", ["mapped"], ["plain", "mapped"], "nobody", ["nobody"]):
            witness.saw("pulled", ids=ids, value=ti.xcom_pull(task_ids=ids))
        for indexes in (0, [1], [0, 3], 9):
            witness.saw("by_index", at=indexes, value=ti.xcom_pull(task_ids="mapped", map_indexes=indexes))
        witness.saw("other", value=ti.xcom_pull(task_ids="mapped", key="other"))
        witness.saw("default", value=ti.xcom_pull(task_ids="plain", key="absent", default="default"))

    plain() >> read(mapped.expand(n=[1, 2, 3, 4]))
