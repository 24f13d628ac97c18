"""What one attempt reads beside its own run: Airflow's Execution API lets every task read everything.

`outside` names what a request reads and its attempt does not own. The agent's gateway asks the rules of the site's owner about it, the
plane its own setting.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import parse_qsl

from tradewind_protocol.boundary.routes import RouteMatch


class ReadKind(str, Enum):
    """What is read. The value is the name of the owner's rule about it."""

    CONNECTION = "connections"
    VARIABLE = "variables"
    XCOM = "xcoms"
    STATE = "states"  # states, counts, dates and parameters of runs and tasks


@dataclass(frozen=True)
class Read:
    """One thing that is read."""

    kind: ReadKind
    name: str  # of a connection or a variable; else the Dag's
    what: str  # for people: "XComs of Dag 'x' in run 'r'"


@dataclass(frozen=True)
class OwnRun:
    """Whose attempt it is. Two tasks of a run have the same."""

    dag_id: str
    run_id: str
    task_id: str = field(default="", compare=False)
    map_index: int = field(default=-1, compare=False)


_STATES: Final = frozenset(
    {
        *("ti.count", "ti.previous", "ti.states", "ti.breadcrumbs", "dag.get"),
        *("dagrun.count", "dagrun.previous", "dagrun.previous_before_2026_04", "dagrun.state", "dagrun.get"),
    }
)
_DAG: Final = "dag_id"
_FALSE: Final = frozenset({"", "0", "false", "f", "n", "no", "off"})  # as pydantic reads a bool


def outside(found: RouteMatch, query: bytes, own: OwnRun | None) -> tuple[Read, ...]:
    """What the request reads that is not of the attempt's own run (XComs), of its own Dag (states), or a connection or a variable.
    Without `own` nothing is known to be its own. Writes of XComs and variables count as reads do."""
    kind, _, _ = found.route.name.partition(".")
    if kind == "connection":
        name = found.params.get("connection_id", "")
        return (Read(ReadKind.CONNECTION, name, f"connection {name!r}"),)
    if kind == "variable":
        name = found.params.get("variable_key", "*")
        return (Read(ReadKind.VARIABLE, name, f"variable {name!r}"),)
    if kind == "xcom":
        dag_id, run_id = found.params[_DAG], found.params["run_id"]
        earlier = of_earlier_runs(query)
        if own == OwnRun(dag_id, run_id) and not earlier:
            return ()
        which = f"run {run_id!r}" + (" and earlier ones" if earlier else "")
        return (Read(ReadKind.XCOM, dag_id, f"XComs of Dag {dag_id!r} in {which}"),)
    if found.route.name in _STATES:
        dags = sorted({found.params.get(_DAG, ""), *parameters(query, _DAG)} - {""})
        return tuple(Read(ReadKind.STATE, dag_id, f"states of Dag {dag_id!r}") for dag_id in _but(dags, own))
    return ()


def of_earlier_runs(query: bytes) -> bool:
    """Whether a request for an XCom takes one of an earlier run as well."""
    return any(value.lower() not in _FALSE for value in parameters(query, "include_prior_dates"))


def parameters(query: bytes, name: str) -> list[str]:
    """The values of a query parameter, as Airflow's web framework reads them."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    return [value for key, value in pairs if key == name]


def _but(dags: Iterable[str], own: OwnRun | None) -> list[str]:
    return [dag_id for dag_id in dags if own is None or dag_id != own.dag_id]
