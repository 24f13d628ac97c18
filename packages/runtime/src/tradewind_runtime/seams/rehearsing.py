"""What every attempt, and every parse of a Dag file, does alike, done once in the process that they are forked from.

Whatever is looked up, compiled or noted at the first time (which classes are kinds of which, how an address is read, an
option's value) is then there for all of them. A process that is forked copies each page of memory it writes to, and it
writes to all it looks at: so this saves memory as well as time. Nothing of the owner's is run here.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from tradewind_runtime.seams import rehearsed_supervisor, rehearsed_task
from tradewind_runtime.seams.rehearsed_supervisor import MOMENT
from tradewind_runtime.seams.rehearsed_task import BUNDLE, MAPPED_TASK, TASK
from tradewind_runtime.worker import kernel

if TYPE_CHECKING:
    from airflow.sdk import DAG

TIMES = 24
"""Python makes a function faster once it was called some eight times (PEP 659), and notes in it what it found. A process that
is forked then finds both, and need not write."""


def rehearse(*, plugins_are_known: bool) -> None:
    """Call it once everything is imported. If a later Airflow has other words, the first attempts build what is missing.
    `plugins_are_known`: there are none whose code a task would run."""
    if sys.version_info < (3, 13):  # later it is deprecated
        sys._clear_type_cache()  # of what only imports looked up: it would make way for this in each process anew
    with suppress(Exception), kernel.ends_later():
        started = rehearsed_supervisor.supervise(TIMES, bundle=BUNDLE, task_id=TASK)
        if started and plugins_are_known and rehearsed_task.is_possible():
            rehearsed_task.perform(started, TIMES)
            started = rehearsed_supervisor.supervise(1, bundle=BUNDLE, task_id=MAPPED_TASK, map_index=0)
            rehearsed_task.perform(started, TIMES)
    with suppress(Exception):
        for _ in range(TIMES):
            _write_a_dag()


def rehearse_a_parse() -> None:
    """The same for the processes that parse Dag files. Loads no plugins: they are the owner's, and may change."""
    with suppress(Exception):
        for _ in range(TIMES):
            _serialize_a_dag()


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
            DAG("rehearsal", schedule="@daily", start_date=MOMENT, catchup=False) as dag,
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
