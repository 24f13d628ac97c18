"""User code that asks for the metadata database is refused, in a task, a callback and while a file is parsed.

apache/airflow#52346, apache/airflow#51563, apache/airflow#47499.
"""

from __future__ import annotations

import witness
from airflow.sdk import DAG, task

SCENARIO = {"ends": {"no_way_to_the_database": "success"}}


def attempts():
    found = {}

    def attempt(name, ask):
        try:
            ask()
            found[name] = "allowed"
        except Exception as problem:
            found[name] = type(problem).__name__

    def by_session():
        from airflow.utils.session import create_session

        with create_session() as session:
            session.execute("select 1")

    def by_settings():
        from airflow import settings

        settings.Session()

    def by_find():
        from airflow.models import DagRun

        DagRun.find(dag_id="no_way_to_the_database")

    attempt("session", by_session)
    attempt("settings", by_settings)
    attempt("find", by_find)
    return found


PARSED = attempts()

with DAG(
    "no_way_to_the_database",
    schedule=None,
    on_success_callback=lambda context: witness.called("run", context, **attempts()),
):

    @task
    def asks():
        witness.saw("in_a_task", **attempts())
        witness.saw("while_parsed", **PARSED)

    asks()
