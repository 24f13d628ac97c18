"""Every route of Airflow's Execution API, its callers, and how its body is treated."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from tradewind_protocol.boundary.callers import (
    CALLBACK,
    CANARY,
    CONNECTION_TEST,
    DAG_PROCESSOR,
    NO_CALLER,
    TASK,
    TRIGGERER,
    Caller,
)


class Treatment(str, Enum):
    """What `decide` does with a request under strict rules."""

    CONTROL = "control"  # passes: what Airflow needs to schedule
    STATE = "state"  # passes: how a try ends; the fields with the author's values are named in the ledger
    XCOM = "xcom"  # a reference, nothing, or one of Airflow's own control keys in its exact form
    STORE = "store"  # a reference or nothing
    RUN = "run"  # passes: a run that a task starts; a site with a key ring seals its parameters
    TEMPLATES = "templates"  # every value replaced by a notice
    CONNECTION = "connection"  # answered "not found"
    VARIABLE = "variable"  # answered "not found"
    VARIABLE_KEYS = "variable_keys"  # answered "none"
    VARIABLE_WRITE = "variable_write"  # refused


class Owner(str, Enum):
    """Which id in the path must be the caller's own."""

    TASK_INSTANCE = "task_instance_id"
    CONNECTION_TEST = "connection_test_id"


@dataclass(frozen=True)
class Route:
    """One route."""

    name: str  # ours, stable: "xcom.set"
    method: str
    template: str  # Airflow's, relative to /execution
    treatment: Treatment
    callers: frozenset[Caller]
    why: str  # why it may pass, or what happens instead; goes to the documentation
    carries: tuple[str, ...] = ()  # fields of the body with values a Dag author chose
    workload: bool = False  # Airflow wants a token of scope "workload" here
    pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The same translation as Starlette's, so that both sides see the same parameters.
        text = re.sub(r"\{(\w+):path\}", r"(?P<\1>.*)", self.template)
        text = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", text)
        object.__setattr__(self, "pattern", re.compile(text))

    @property
    def owner(self) -> Owner | None:
        return next((owner for owner in Owner if "{" + owner.value in self.template), None)


@dataclass(frozen=True)
class RouteMatch:
    """A route and the parameters of one path."""

    route: Route
    params: dict[str, str]


T: Final = frozenset({TASK})
T_TR: Final = frozenset({TASK, TRIGGERER})
READERS: Final = frozenset({TASK, TRIGGERER, DAG_PROCESSOR})
ALL: Final = frozenset({TASK, CALLBACK, TRIGGERER, DAG_PROCESSOR})
TESTS: Final = frozenset({CONNECTION_TEST})

_C = Treatment.CONTROL
_READ = "a read; what comes back is the plane's own"
_SCHEDULING = "needed to schedule: states and counts, no values"

ROUTES: Final[tuple[Route, ...]] = (
    Route("health", "GET", "/health", _C, NO_CALLER, "no process of a site needs it"),
    Route("health.ping", "GET", "/health/ping", _C, NO_CALLER, "no process of a site needs it"),
    # ---- one try of a task
    Route(
        "ti.run",
        "PATCH",
        "/task-instances/{task_instance_id}/run",
        _C,
        T,
        "the start of a try; the gateway puts the agent's name in place of the host name",
    ),
    Route(
        "ti.state",
        "PATCH",
        "/task-instances/{task_instance_id}/state",
        Treatment.STATE,
        T,
        "how a try ends: state and times; of a deferral the arguments of the trigger and of the method that resumes leave sealed; a site with a key ring seals the extras of asset events; without one they pass, so a Dag author keeps data out of them",
        ("trigger_kwargs", "next_kwargs", "outlet_events", "rendered_map_index", "retry_reason"),
    ),
    Route(
        "ti.skip_downstream",
        "PATCH",
        "/task-instances/{task_instance_id}/skip-downstream",
        _C,
        T,
        "names of tasks to skip",
    ),
    Route(
        "ti.heartbeat",
        "PUT",
        "/task-instances/{task_instance_id}/heartbeat",
        _C,
        T,
        "host name (the agent's name) and pid",
    ),
    Route(
        "ti.rtif",
        "PUT",
        "/task-instances/{task_instance_id}/rtif",
        Treatment.TEMPLATES,
        T,
        "every rendered value is replaced by a notice; the names of the fields pass",
    ),
    Route(
        "ti.rendered_map_index",
        "PATCH",
        "/task-instances/{task_instance_id}/rendered-map-index",
        _C,
        T,
        "the label an author gave to a mapped task for the UI with map_index_template",
        ("rendered_map_index",),
    ),
    Route(
        "ti.previous_successful_dagrun",
        "GET",
        "/task-instances/{task_instance_id}/previous-successful-dagrun",
        _C,
        T,
        _READ,
    ),
    Route(
        "ti.validate_assets",
        "GET",
        "/task-instances/{task_instance_id}/validate-inlets-and-outlets",
        _C,
        T,
        _READ,
    ),
    Route("ti.reschedule_start", "GET", "/task-reschedules/{task_instance_id}/start_date", _C, T, _READ),
    # ---- tasks and runs as others see them
    Route("ti.count", "GET", "/task-instances/count", _C, READERS, _SCHEDULING),
    Route("ti.previous", "GET", "/task-instances/previous/{dag_id}/{task_id}", _C, READERS, _SCHEDULING),
    Route("ti.states", "GET", "/task-instances/states", _C, READERS, _SCHEDULING),
    Route("ti.breadcrumbs", "GET", "/task-instances/breadcrumbs", _C, T, _SCHEDULING),
    Route("dag.get", "GET", "/dags/{dag_id}", _C, T, _READ),
    Route("dagrun.count", "GET", "/dag-runs/count", _C, READERS, _SCHEDULING),
    Route("dagrun.previous", "GET", "/dag-runs/previous", _C, READERS, _READ),
    Route("dagrun.previous_before_2026_04", "GET", "/dag-runs/{dag_id}/previous", _C, READERS, _READ),
    Route("dagrun.state", "GET", "/dag-runs/{dag_id}/{run_id}/state", _C, T_TR, _SCHEDULING),
    Route("dagrun.get", "GET", "/dag-runs/{dag_id}/{run_id}", _C, T_TR, _READ),
    Route(
        "dagrun.trigger",
        "POST",
        "/dag-runs/{dag_id}/{run_id}",
        Treatment.RUN,
        T,
        "a run a task starts; its conf is the author's, as if given in the UI; a site with a key ring seals the conf",
        ("conf", "note", "partition_key"),
    ),
    Route("dagrun.clear", "POST", "/dag-runs/{dag_id}/{run_id}/clear", _C, T, "an order without a value"),
    # ---- XCom
    Route("xcom.item", "GET", "/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}/item/{offset}", _C, ALL, _READ),
    Route("xcom.slice", "GET", "/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}/slice", _C, ALL, _READ),
    Route("xcom.count", "HEAD", "/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}", _C, ALL, _READ),
    Route("xcom.get", "GET", "/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}", _C, ALL, _READ),
    Route(
        "xcom.set",
        "POST",
        "/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}",
        Treatment.XCOM,
        T_TR,
        "only a reference, null, a value that a site with a key ring has sealed, or one of Airflow's control keys in its exact form; links (`_link_…`) are dropped; the length of a list to map over passes",
    ),
    Route(
        "xcom.delete",
        "DELETE",
        "/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}",
        _C,
        T_TR,
        "an order without a value",
    ),
    # ---- state stores
    Route("task_store.get", "GET", "/store/ti/{task_instance_id}/{key:path}", _C, T, _READ),
    Route(
        "task_store.set",
        "PUT",
        "/store/ti/{task_instance_id}/{key:path}",
        Treatment.STORE,
        T,
        "only a reference, null, or a value that a site with a key ring has sealed",
    ),
    Route(
        "task_store.delete",
        "DELETE",
        "/store/ti/{task_instance_id}/{key:path}",
        _C,
        T,
        "an order without a value",
    ),
    Route("task_store.clear", "DELETE", "/store/ti/{task_instance_id}", _C, T, "an order without a value"),
    Route("asset_store.get_by_name", "GET", "/store/asset/by-name/value", _C, T_TR, _READ),
    Route(
        "asset_store.set_by_name",
        "PUT",
        "/store/asset/by-name/value",
        Treatment.STORE,
        T_TR,
        "only a reference, null, or a value that a site with a key ring has sealed",
    ),
    Route(
        "asset_store.delete_by_name",
        "DELETE",
        "/store/asset/by-name/value",
        _C,
        T_TR,
        "an order without a value",
    ),
    Route(
        "asset_store.clear_by_name",
        "DELETE",
        "/store/asset/by-name/clear",
        _C,
        T_TR,
        "an order without a value",
    ),
    Route("asset_store.get_by_uri", "GET", "/store/asset/by-uri/value", _C, T_TR, _READ),
    Route(
        "asset_store.set_by_uri",
        "PUT",
        "/store/asset/by-uri/value",
        Treatment.STORE,
        T_TR,
        "only a reference, null, or a value that a site with a key ring has sealed",
    ),
    Route(
        "asset_store.delete_by_uri",
        "DELETE",
        "/store/asset/by-uri/value",
        _C,
        T_TR,
        "an order without a value",
    ),
    Route(
        "asset_store.clear_by_uri",
        "DELETE",
        "/store/asset/by-uri/clear",
        _C,
        T_TR,
        "an order without a value",
    ),
    # ---- assets
    Route("asset.by_name", "GET", "/assets/by-name", _C, T_TR, _READ),
    Route("asset.by_uri", "GET", "/assets/by-uri", _C, T_TR, _READ),
    Route("asset.by_alias", "GET", "/assets/by-alias", _C, T_TR, _READ),
    Route("asset_event.by_asset", "GET", "/asset-events/by-asset", _C, T_TR, _READ),
    Route("asset_event.by_alias", "GET", "/asset-events/by-asset-alias", _C, T_TR, _READ),
    # ---- connections and variables
    Route(
        "connection.get",
        "GET",
        "/connections/{connection_id}",
        Treatment.CONNECTION,
        ALL | {CANARY},  # which uploads a line of log
        'answered "not found", so that the site\'s own secrets backends decide',
    ),
    Route("variable.keys", "GET", "/variables/keys", Treatment.VARIABLE_KEYS, ALL, 'answered "none"'),
    Route(
        "variable.get",
        "GET",
        "/variables/{variable_key:path}",
        Treatment.VARIABLE,
        ALL,
        'answered "not found", so that the site\'s own secrets backends and the default in the code decide',
    ),
    Route(
        "variable.set",
        "PUT",
        "/variables/{variable_key:path}",
        Treatment.VARIABLE_WRITE,
        READERS,
        "refused: a variable is a value",
    ),
    Route(
        "variable.delete",
        "DELETE",
        "/variables/{variable_key:path}",
        Treatment.VARIABLE_WRITE,
        READERS,
        "refused: the plane's variables are not the site's",
    ),
    # ---- a connection tested from the UI
    Route(
        "connection_test.get",
        "GET",
        "/connection-tests/{connection_test_id}/connection",
        _C,
        TESTS,
        "what a person typed into the UI to have it tested from this site",
        workload=True,
    ),
    Route(
        "connection_test.report",
        "PATCH",
        "/connection-tests/{connection_test_id}",
        _C,
        TESTS,
        "the verdict and its message, which the person who asked waits for",
        ("result_message",),
        workload=True,
    ),
    # ---- people
    Route(
        "hitl.ask",
        "POST",
        "/hitlDetails/{task_instance_id}",
        _C,
        T,
        "a question written for people who answer in the UI",
        ("subject", "body", "options", "params", "defaults"),
    ),
    Route(
        "hitl.respond",
        "PATCH",
        "/hitlDetails/{task_instance_id}",
        _C,
        T_TR,
        "the default answer when no user gave one in time",
        ("chosen_options", "params_input"),
    ),
    Route("hitl.get", "GET", "/hitlDetails/{task_instance_id}", _C, T_TR, _READ),
)
"""In the order Airflow matches them: of two that fit, the first counts."""


def _by_method_and_head() -> dict[tuple[str, str], tuple[Route, ...]]:
    heads: dict[tuple[str, str], tuple[Route, ...]] = {}
    for route in ROUTES:
        key = (route.method, route.template.split("/", 2)[1])
        heads[key] = (*heads.get(key, ()), route)
    return heads


_HEADS: Final = _by_method_and_head()
_CONNECTIONS: Final = "/connections/"
_CONNECTION_GET: Final = next(route for route in ROUTES if route.name == "connection.get")

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""What Airflow's client (httpx) refuses to put into a URL, and what is no UTF-8."""


def classify(method: str, path: str) -> RouteMatch | None:
    """The route of a request, or None when no route is known.

    `path` is decoded, starts with "/" and is relative to the Execution API, as Airflow's own router sees it. An
    `ambiguous` path is no route; every other key and id that Airflow's own client can send is.
    """
    if ambiguous(path):
        return None
    for route in _HEADS.get((method, path.split("/", 2)[1] if path.startswith("/") else ""), ()):
        if match := route.pattern.fullmatch(path):
            return RouteMatch(route, match.groupdict())
    # Airflow answers that a connection id with a slash is not found, and the site's secrets backends are asked.
    if method == "GET" and path.startswith(_CONNECTIONS) and len(path) > len(_CONNECTIONS):
        return RouteMatch(_CONNECTION_GET, {"connection_id": path[len(_CONNECTIONS) :]})
    return None


def ambiguous(path: str) -> str:
    """Why something between here and Airflow could read this path as another one; empty when nothing could."""
    if _CONTROL.search(path):
        return "it contains a control character"
    if any(part in (".", "..") for part in path.split("/")):
        return 'one of its parts between slashes is "." or ".."'
    return ""
