"""Connections from URIs and JSON are the same wherever they are read: SDK, hooks, templates, Airflow 2's model.

apache/airflow#14569, apache/airflow#12722, apache/airflow#15100, apache/airflow#55770, apache/airflow#45595: "isn't defined".
"""

from __future__ import annotations

import witness
from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, BaseHook, Connection, task

SCENARIO = {
    "ends": {"connections_of_every_form": "success"},
    "differs_under_strict": {
        "log *is in none of this site's secrets backends*": "a strict site says where it looked, and what to do"
    },
    "differs": {
        "log *too short (<5 chars)*": "once for each backend that is asked; the sites of the matrix ask others",
        "seen: *sdk: kind=*": "a connection from a file is Airflow's model, one from a variable the SDK's: as each backend does it",
    },
}


def facts(conn):
    return {
        "type": conn.conn_type,
        "host": conn.host,
        "login": conn.login,
        "password": conn.password,
        "port": conn.port,
        "schema": conn.schema,
        "extra": conn.extra_dejson,
    }


with DAG("connections_of_every_form", schedule=None):

    @task
    def by_the_sdk():
        for name in ("odd_uri", "odd_json", "no_host", "masked"):
            conn = Connection.get(name)
            witness.saw("sdk", name=name, kind=type(conn).__module__, **facts(conn), uri=conn.get_uri())

    @task
    def by_a_hook():
        for name in ("odd_uri", "odd_json", "no_host"):
            witness.saw("hook", name=name, **facts(BaseHook.get_connection(name)))

    @task
    def by_the_model():
        from airflow.models import Connection as Model

        for name in ("odd_uri", "odd_json"):
            witness.saw("model", name=name, **facts(Model.get_connection_from_secrets(name)))
        made = Model(
            conn_id="made", conn_type="http", host="example.org", login="a", password="p/w", extra={"x": 1}
        )
        witness.saw("made", **facts(made), uri=made.get_uri())
        witness.saw("parsed", **facts(Model(conn_id="parsed", uri="postgres://u:p%2Fw@h:1/s?x=1")))

    @task
    def not_there():
        for name in ("absent", "with/slash", "with blank"):
            try:
                BaseHook.get_connection(name)
            except Exception as problem:
                witness.saw("absent", name=name, type=type(problem).__name__, text=str(problem))

    @task
    def in_the_context(conn=None, var=None):
        witness.saw(
            "context", host=conn.masked.host, default=conn.get("absent", "default"), port=conn.odd_json.port
        )

    BashOperator(
        task_id="templated",
        bash_command="echo {{ conn.odd_json.host }} {{ conn.odd_json.extra_dejson.timeout }}",
    )
    by_the_sdk()
    by_a_hook()
    by_the_model()
    not_there()
    in_the_context()
