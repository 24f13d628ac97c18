"""What every attempt, and every parse of a Dag file, does alike, done once in the process that they are forked from.

Whatever is looked up, compiled or noted at the first time (which classes are kinds of which, how an address is read, an
option's value) is then there for all of them. A process that is forked copies each page of memory it writes to, and it
writes to all it looks at: so this saves memory as well as time. Nothing of the owner's is run here.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from uuid import UUID

import httpx

from tradewind_runtime.seams import process

if TYPE_CHECKING:
    from airflow.sdk import DAG

_MOMENT = datetime(2025, 1, 1, tzinfo=timezone.utc)


def rehearse() -> None:
    """Call it once everything is imported. If a later Airflow has other words, the first attempts build what is missing."""
    with suppress(Exception):
        _speak_as_a_supervisor()
    with suppress(Exception):
        _write_a_dag()


def rehearse_a_parse() -> None:
    """The same for the processes that parse Dag files. Loads no plugins: they are the owner's, and may change."""
    with suppress(Exception):
        _serialize_a_dag()


def _speak_as_a_supervisor() -> None:
    """Say to nobody what every supervisor says. The first client builds a TLS context as well, which it does not need and
    later ones share."""
    moment = _MOMENT.isoformat()
    run = {
        **{
            "dag_id": "d",
            "run_id": "r",
            "run_type": "manual",
            "state": "running",
            "consumed_asset_events": [],
        },
        **{"logical_date": moment, "start_date": moment, "run_after": moment},
        **{
            "data_interval_start": moment,
            "data_interval_end": moment,
            "end_date": None,
            "partition_key": None,
        },
    }
    context = {"dag_run": run, "max_tries": 0, "should_retry": False, "xcom_keys_to_clear": []}
    answers = httpx.MockTransport(lambda _: httpx.Response(200, json=context))
    client = process.execution_client("http://gateway/", "", answers)
    ti = UUID(int=1)
    try:
        client.task_instances.start(ti, 1, _MOMENT)
        client.task_instances.heartbeat(ti, 1)
        client.task_instances.set_rtif(ti, {})
        client.task_instances.succeed(ti, _MOMENT, [], [], None)
    finally:
        client.close()


def _serialize_a_dag() -> None:
    from airflow.dag_processing.processor import DagFileParsingResult
    from airflow.sdk.execution_time import comms
    from airflow.serialization.serialized_objects import DagSerialization, LazyDeserializedDAG

    dag = _write_a_dag()
    parsed = LazyDeserializedDAG(data=DagSerialization.to_dict(dag), last_loaded=dag.last_loaded)
    result = DagFileParsingResult(fileloc="rehearsal.py", serialized_dags=[parsed], import_errors={})
    comms._RequestFrame(id=0, body=result.model_dump()).as_bytes()


def _write_a_dag() -> DAG:
    """Make a Dag of the usual parts, as a Dag file does."""
    from airflow.sdk import DAG, TaskGroup, task
    from airflow.sdk.definitions._internal.contextmanager import DagContext

    try:
        with (
            DAG("rehearsal", schedule="@daily", start_date=_MOMENT, catchup=False) as dag,
            TaskGroup("group"),
        ):

            @task
            def first() -> int:
                return 1

            @task.bash(retries=1)
            def second(number: int) -> str:
                return "{{ ds }}"

            second.expand(number=[1]) >> second(first())
        DAG("unscheduled", schedule=None)
        dag.get_template_env()
        dag.validate()
        return dag
    finally:
        DagContext.autoregistered_dags.clear()
