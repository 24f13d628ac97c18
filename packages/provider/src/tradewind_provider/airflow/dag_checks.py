"""Whether a serialized Dag an agent sent may be stored. It is untrusted: its size, its form and that Airflow reads it."""

from __future__ import annotations

import copy
import json
from typing import Any

from airflow.exceptions import DeserializationError
from airflow.serialization.helpers import TimetableNotRegistered
from airflow.serialization.serialized_objects import DagSerialization, _PriorityWeightStrategyNotRegistered
from airflow.utils.helpers import validate_key

from tradewind_protocol import dags as wire
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.airflow import dag_bounds, dag_params, remote_executor
from tradewind_provider.airflow.lazy_dag import LazyDag

_WARNING_TYPES = frozenset({"asset conflict", "non-existent pool", "runtime varying value"})


def checked(bundle: str, path: str, data: dict[str, Any]) -> LazyDag:
    """The Dag as Airflow stores it, its `fileloc` neutral, its executor the remote one. Raises Refused MALFORMED or TOO_LARGE, naming Dag and file.

    Reading it runs no code an agent chose: Airflow's own deserializer takes classes from its registries only.
    """
    dag = data.get("dag")
    dag_id = dag.get("dag_id") if isinstance(dag, dict) else None
    if not isinstance(dag, dict) or not isinstance(dag_id, str):
        raise Refused(Code.MALFORMED, f"file {path} of bundle {bundle!r} has a Dag without a dag_id")
    size = len(json.dumps(data, separators=(",", ":")))
    if size > wire.LARGEST_DAG:
        raise Refused(
            Code.TOO_LARGE,
            f"Dag {dag_id[:250]!r} of file {path} takes {size / 2**20:.1f} MiB; "
            f"at most {wire.LARGEST_DAG // 2**20} MiB are stored",
            remedy="split the Dag, or keep large values out of it",
        )
    try:
        validate_key(dag_id)
    except Exception as problem:
        raise _malformed(dag_id, path, problem) from None
    inside = dag.get("relative_fileloc")
    if not isinstance(inside, str) or not (inside == path or inside.startswith(f"{path}/")):
        raise Refused(
            Code.MALFORMED, f"Dag {dag_id!r} of file {path} says it is in {str(inside)[:200]!r}, another file"
        )
    try:
        wire.checked_path(inside)
        dag_bounds.check_timetable(dag.get("timetable"))
        placed = {**dag_params.bounded(dag), "fileloc": wire.neutral_fileloc(bundle, inside)}
        whole = {**data, "dag": remote_executor.given(placed)}
        DagSerialization.validate_schema(whole)
        read = DagSerialization.from_dict(copy.deepcopy(whole))
        if read.dag_id != dag_id:
            raise ValueError(f"it reads as Dag {read.dag_id!r}")
        lazy = LazyDag(data=whole)
        dag_bounds.check(read, lazy)
        lazy.timetable.summary, lazy.owner, lazy.has_task_concurrency_limits, lazy.hash  # noqa: B018 (what storing reads)
    except (Exception, RecursionError) as problem:
        raise _malformed(dag_id, path, problem) from None
    remote_executor.check(whole["dag"], read)
    return lazy


def _malformed(dag_id: str, path: str, problem: BaseException) -> Refused:
    if isinstance(problem, DeserializationError) and problem.__cause__:
        problem = problem.__cause__  # Airflow's own words name the Dag alone
    return Refused(
        Code.MALFORMED,
        f"Dag {dag_id[:250]!r} of file {path} cannot be read: {type(problem).__name__}: {str(problem)[:500]}",
        remedy=_remedy(problem),
    )


def _remedy(problem: BaseException) -> str:
    """What to do about a Dag that this plane cannot read. The plane computes schedules and priorities by its own copy of
    the owner's class, so a class that only the site has is named."""
    for kind, registered_in in (
        (TimetableNotRegistered, "timetables"),
        (_PriorityWeightStrategyNotRegistered, "priority_weight_strategies"),
    ):
        if isinstance(problem, kind):
            return (
                f"the plane computes with this class, too: install the plugin that lists it in `{registered_in}` in the "
                "environment of every scheduler and API server of the plane, and restart them; the site then sends the file again"
            )
    return (
        "does the task environment run the same Airflow minor as the plane, and does the plane have the "
        "plugins (timetables, priority strategies) this Dag uses?"
    )


def warning_type(name: str) -> bool:
    """True when Airflow knows warnings of that type."""
    return name in _WARNING_TYPES
