"""Whether what a serialized Dag says fits into Airflow's tables and its scheduler's arithmetic.

Stock Airflow finds an oversized value when the scheduler makes a run: the statement fails, and the scheduler with it, for
every Dag of the plane. A Dag of an agent is checked before it is stored, so that the value becomes an import error of that
one file. Limits are those of Airflow's own columns, read from its models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from airflow.dag_processing.collection import AssetModelOperation
from airflow.models.asset import AssetAliasModel, AssetModel
from airflow.models.dag import DagModel, DagOwnerAttributes, DagTag
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskmap import TaskMap
from airflow.models.trigger import Trigger
from airflow.serialization.definitions.notset import is_arg_set
from sqlalchemy import Integer, String
from sqlalchemy.types import TypeEngine

from tradewind_provider.airflow import dag_deadlines, dag_params

OF_TASK: Final = {
    # attribute of a deserialized operator: column that takes it (TaskInstance.insert_mapping)
    "dag_id": TaskInstance.dag_id,
    "task_id": TaskInstance.task_id,
    "queue": TaskInstance.queue,
    "pool": TaskInstance.pool,
    "pool_slots": TaskInstance.pool_slots,
    "priority_weight": TaskInstance.priority_weight,
    "retries": TaskInstance.max_tries,
    "executor": TaskInstance.executor,
    "task_type": TaskInstance.operator,
    "operator_name": TaskInstance.custom_operator_name,
    "task_display_name": TaskInstance._task_display_property_value,
    "max_active_tis_per_dag": TaskInstance.pool_slots,  # has no column; compared with counts of rows
    "max_active_tis_per_dagrun": TaskInstance.pool_slots,
}
OF_DAG: Final = {
    # attribute of the Dag: column that takes it (DagModelOperation.update_dags)
    "dag_id": DagModel.dag_id,
    "dag_display_name": DagModel._dag_display_property_value,
    "owner": DagModel.owners,
    "max_active_tasks": DagModel.max_active_tasks,
    "max_active_runs": DagModel.max_active_runs,
    "max_consecutive_failed_dag_runs": DagModel.max_consecutive_failed_dag_runs,
}

LONGEST: Final = timedelta(days=36_525)
"""A hundred years. Longer delays and timeouts, added to a date, leave the calendar; the scheduler adds them."""

YEARS: Final = range(1000, 9000)
"""Years a Dag may name: a timetable counts from these dates, in any time zone, without leaving the calendar."""

MOST_EXPANDED: Final = 10_000
"""Task instances that literal values of `expand` make in one run of one task, at most. Airflow limits what an XCom
expands to ([core] max_map_length, 1024), and not what is written in the Dag."""

MOST_IN_A_TIMETABLE: Final = {"expressions": 100, "event_dates": 10_000}
"""How much a timetable's list may hold. The scheduler reads all of it each time it looks at the Dag: 10,000 cron
expressions cost it eight seconds."""

_NEEDED: Final = frozenset(
    {"task_id", "queue", "pool", "pool_slots", "priority_weight", "retries", "task_type"}
)
"""What a column demands, or the scheduler counts with."""
_DURATIONS: Final = ("retry_delay", "max_retry_delay", "execution_timeout")


def check_timetable(serialized: Any) -> None:
    """Before it is read, which costs the same. Raises ValueError as `check` does."""
    inside = [serialized]
    while inside:
        one = inside.pop()
        if isinstance(one, dict):
            for name, most in MOST_IN_A_TIMETABLE.items():
                if isinstance(listed := one.get(name), list) and len(listed) > most:
                    raise ValueError(f"timetable: {name} has {len(listed)} entries, more than {most}")
        inside.extend(one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())


def check(dag: Any, lazy: Any) -> None:
    """Raises ValueError that names the field, what it holds and its limit."""
    owner = f"Dag {dag.dag_id!r}"
    for name, column in OF_DAG.items():
        _fits(owner, name, getattr(dag, name, None), column.type)
    _duration(owner, "dagrun_timeout", getattr(dag, "dagrun_timeout", None))
    _date(owner, "start_date", dag.start_date)
    _date(owner, "end_date", dag.end_date)
    for tag in dag.tags or ():
        _fits(owner, "tags", tag, DagTag.name.type)
    for person, link in (dag.owner_links or {}).items():
        _fits(owner, "owner_links", person, DagOwnerAttributes.owner.type)
        _fits(owner, "owner_links", link, DagOwnerAttributes.link.type)
        if not str(link).lower().startswith(("http://", "https://", "mailto:")):
            raise ValueError(
                f"{owner}: owner_links: {str(link)[:100]!r} is not an http, https or mailto link"
            )
    _fits(owner, "timetable_type", lazy.timetable.type_name, DagModel.timetable_type.type)
    _fits(owner, "timetable_description", lazy.timetable.description, DagModel.timetable_description.type)
    for task in dag.tasks:
        _check_task(task)
    # a user's run may give the values that defaults lack; one of the scheduler's may not
    dag_params.check(owner, dag.params, evaluated=dag.timetable.can_be_scheduled)
    dag_deadlines.check(owner, lazy.data["dag"].get("deadline"))
    for asset in _assets(lazy):
        _check_asset(owner, asset)
    _check_weights(owner, dag.tasks)


def _check_task(task: Any) -> None:
    owner = f"task {task.task_id!r}"
    for name, column in OF_TASK.items():
        value = getattr(task, name, None)
        _fits(owner, name, value, column.type)
        if value is None and name in _NEEDED:
            raise ValueError(f"{owner}: {name} is missing")
    if task.pool_slots < 1:
        raise ValueError(f"{owner}: pool_slots is {task.pool_slots}, less than 1")
    if task.retries < 0:
        raise ValueError(f"{owner}: retries is {task.retries}, less than 0")
    for name in _DURATIONS:
        _duration(owner, name, getattr(task, name, None))
    _date(owner, "start_date", task.start_date)
    _date(owner, "end_date", task.end_date)
    if (starts := getattr(task, "start_trigger_args", None)) is not None:
        _fits(owner, "start_trigger_args", getattr(starts, "trigger_cls", None), Trigger.classpath.type)
        _fits(
            owner, "start_trigger_args", getattr(starts, "next_method", None), TaskInstance.next_method.type
        )
        _duration(owner, "start_trigger_args.timeout", getattr(starts, "timeout", None))
    _check_expansion(owner, task)
    dag_params.check(owner, getattr(task, "params", None), evaluated=False)


def _check_expansion(owner: str, task: Any) -> None:
    try:
        count = task.get_parse_time_mapped_ti_count()
    except Exception as problem:
        # NotMapped, and NotFullyPopulated where a length is known only when the run has values.
        if type(problem).__name__ not in ("NotMapped", "NotFullyPopulated"):
            raise
        return
    if count > MOST_EXPANDED:
        raise ValueError(f"{owner}: expand makes {count} task instances, more than {MOST_EXPANDED}")
    _fits(owner, "expand", count, TaskMap.length.type)


def _check_weights(owner: str, tasks: Any) -> None:
    """A weight rule adds priorities of other tasks up: their sum must fit, too."""
    total = sum(abs(int(task.priority_weight or 0)) for task in tasks)
    _fits(owner, "the sum of priority_weight", total, TaskInstance.priority_weight.type)


def _assets(lazy: Any) -> Iterator[Any]:
    """What the Dag names of assets and aliases, wherever it does, as storing it collects them: each becomes a row."""
    found = AssetModelOperation.collect({lazy.dag_id: lazy})
    yield from found.assets.values()
    yield from found.asset_aliases.values()
    for _, name in found.schedule_asset_name_references:
        yield _Named(name=name)
    for _, uri in found.schedule_asset_uri_references:
        yield _Named(uri=uri)


@dataclass(frozen=True)
class _Named:
    """An asset that is only referred to."""

    name: str = ""
    uri: str = ""


def _check_asset(owner: str, asset: Any) -> None:
    kind = AssetModel if hasattr(asset, "uri") else AssetAliasModel
    for name in ("name", "uri", "group"):
        if hasattr(asset, name) and hasattr(kind, name):
            _fits(owner, f"asset {name}", getattr(asset, name), getattr(kind, name).type)


def _fits(owner: str, name: str, value: Any, column: TypeEngine[Any]) -> None:
    if value is None or not is_arg_set(value):
        return
    if isinstance(column, Integer):
        _number(owner, name, value)
    elif isinstance(column, String):
        if not isinstance(value, str):
            raise ValueError(f"{owner}: {name} is {type(value).__name__}, not a text")
        if column.length is not None and len(value) > column.length:
            raise ValueError(f"{owner}: {name} has {len(value)} characters, more than {column.length}")
        if "\0" in value:
            raise ValueError(f"{owner}: {name} holds a NUL")


def _number(owner: str, name: str, value: Any) -> None:
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or value != value
        or int(value) != value
    ):
        raise ValueError(f"{owner}: {name} is {str(value)[:50]!r}, not a whole number")
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{owner}: {name} is {value:.6g}, which has no room in 32 bits")


def _duration(owner: str, name: str, value: Any) -> None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = timedelta(seconds=value)
    if isinstance(value, timedelta) and abs(value) > LONGEST:
        raise ValueError(f"{owner}: {name} is {value.days} days, longer than {LONGEST.days} days")


def _date(owner: str, name: str, value: Any) -> None:
    if isinstance(value, datetime) and value.year not in YEARS:
        raise ValueError(
            f"{owner}: {name} is in the year {value.year}, out of {YEARS.start} to {YEARS.stop - 1}"
        )
