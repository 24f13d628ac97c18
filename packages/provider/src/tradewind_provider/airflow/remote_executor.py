"""The executor of a site's Dags: RemoteExecutor, wherever it stands in the plane's [core] executor.

The plane's first executor runs its work on the plane, where a site's bundle is not. So every task and every callback of
a Dag that came from an agent is stored with the executor's name, and one that names another executor is refused: what came
from an agent never runs in a process of the plane. The name is the module's path, which holds whatever alias the plane
gives the executor, and wherever in its list.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

from airflow.executors.executor_loader import ExecutorLoader

from tradewind_protocol.errors import Code, Refused

NAME: Final = "tradewind_provider.executor.RemoteExecutor"

_SYNC: Final = (
    "airflow.sdk.definitions.callback.SyncCallback"  # what an executor runs when a deadline is missed
)
_ASYNC: Final = "airflow.sdk.definitions.callback.AsyncCallback"  # what a triggerer runs


def names() -> frozenset[str]:
    """What a Dag may write for the remote executor; empty when the plane's [core] executor does not list it."""
    known: set[str] = set()
    for one in ExecutorLoader.get_executor_names(validate_teams=False):
        if one.module_path == NAME:
            known |= {name for name in (one.alias, NAME, NAME.rpartition(".")[2]) if name}
    return frozenset(known)


def given(dag: dict[str, Any]) -> dict[str, Any]:
    """A serialized Dag whose tasks and callbacks all run on the remote executor. What names one already keeps it."""
    changed = copy.deepcopy({part: dag.get(part) for part in ("tasks", "deadline")})
    for place in _places(changed):
        if place.get("executor") is None:
            place["executor"] = NAME
    return {**dag, **{part: value for part, value in changed.items() if part in dag}}


def check(dag: dict[str, Any], read: Any) -> None:
    """Raises Refused MALFORMED when a task or callback of a Dag names another executor than the remote one. `dag` is what
    is stored, `read` what Airflow makes of it."""
    known = names()
    if not known:
        raise Refused(
            Code.MALFORMED,
            f"Dag {read.dag_id!r} came from an agent, and this plane's [core] executor does not list the executor of "
            "agents",
            remedy=f"add {NAME} to the plane's [core] executor",
        )
    found = [(f"Task {task.task_id!r}", task.executor) for task in read.tasks]
    found += [("A deadline callback", data.get("executor")) for data in _callbacks(dag)]
    for what, named in found:
        if named not in known:
            raise Refused(
                Code.MALFORMED,
                f"{what} of Dag {read.dag_id!r} specifies executor {str(named)[:200]!r}; what came from an agent runs "
                "on agents alone",
                remedy="leave executor= away, or name RemoteExecutor",
            )
    for alert in _alerts(dag):
        kind = alert["callback"].get("__classname__") if isinstance(alert.get("callback"), dict) else None
        if kind not in (_SYNC, _ASYNC):
            raise Refused(
                Code.MALFORMED,
                f"a deadline of Dag {read.dag_id!r} has a callback of kind {str(kind)[:200]!r}",
            )


def _places(dag: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every map of a serialized Dag that may hold the name of an executor."""
    for task in _list(dag.get("tasks")):
        inside = task.get("__var") if isinstance(task, dict) else None
        if isinstance(inside, dict):
            partial = inside.get("partial_kwargs")
            yield partial if inside.get("_is_mapped") and isinstance(partial, dict) else inside
    yield from _callbacks(dag)


def _callbacks(dag: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The facts of each callback of a deadline that an executor runs."""
    for alert in _alerts(dag):
        callback = alert.get("callback")
        if isinstance(callback, dict) and callback.get("__classname__") == _SYNC:
            data = callback.get("__data__")
            if isinstance(data, dict):
                yield data


def _alerts(dag: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for alert in _list(dag.get("deadline")):
        inside = alert.get("__var", alert) if isinstance(alert, dict) else None
        if isinstance(inside, dict):
            yield inside


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
