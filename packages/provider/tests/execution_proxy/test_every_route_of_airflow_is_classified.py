"""A new route of Airflow fails here until somebody has decided what it may carry."""

from __future__ import annotations

import inspect
import re
from typing import Any

from fastapi import FastAPI
from starlette.routing import Match

from tradewind_protocol import boundary
from tradewind_provider.shortcuts.single_thread import ENDPOINTS

_ITS_OWN = {"/openapi.json"}


def _versions(airflow: FastAPI) -> dict[str, Any]:
    """Airflow's routers, one for each version of its Execution API."""
    (mount,) = [route for route in airflow.routes if getattr(route, "path", "") == "/execution"]
    app: Any = mount.app  # type: ignore[attr-defined]
    if not app._cadwyn_initialized:
        app._cadwyn_initialize()  # otherwise done with the first request
    return dict(app.router.versioned_routers)


def _served(airflow: FastAPI) -> dict[tuple[str, str], Any]:
    return {
        (method, route.path): route
        for router in _versions(airflow).values()
        for route in router.routes
        for method in route.methods
        if route.path not in _ITS_OWN
    }


def _known() -> dict[tuple[str, str], boundary.Route]:
    return {(route.method, route.template): route for route in boundary.ROUTES}


async def test_the_boundary_knows_exactly_the_routes_airflow_serves(airflow: FastAPI) -> None:
    served = set(_served(airflow))
    assert len(served) > 50
    assert served == set(_known())


async def test_the_boundary_finds_them_in_airflows_order(airflow: FastAPI) -> None:
    routers = _versions(airflow)
    paths = [
        "/variables/keys",
        "/xcoms/a/b/c/d/e/item/1",
        "/xcoms/a/b/c/d/slice",
        "/dag-runs/count",
        "/store/ti/a/b",
    ]
    for path in paths:
        scope = {"type": "http", "path": path, "method": "GET", "headers": []}
        taken = next(one for one in routers[max(routers)].routes if one.matches(scope)[0] is Match.FULL)
        found = boundary.classify("GET", path)
        assert found is not None
        assert found.route.template == taken.path


async def test_the_boundary_asks_for_the_kind_of_token_airflow_wants(airflow: FastAPI) -> None:
    known = _known()
    for key, route in _served(airflow).items():
        allowed = getattr(route, "allowed_token_types", frozenset({"execution"}))
        assert ("workload" if known[key].workload else "execution") in allowed, key


_WAITS_FOR_NO_LOOP = {
    "JWTBearer.__call__",
    "require_auth",
    "_extract_w3c_trace_context",
    "_container",
    "current_dependency_solver",
}


async def test_what_every_task_asks_needs_no_event_loop_in_particular(airflow: FastAPI) -> None:
    """It is answered beside the server's loop, to which an asynchronous database session would belong."""
    found, waiting = set[tuple[str, str]](), set[str]()

    def walk(dependant: Any) -> None:
        call = getattr(dependant.call, "_original_callable", dependant.call)  # cadwyn wraps each
        for each in (call, *_methods(call)):
            if inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
                waiting.add(each.__qualname__)
        for below in dependant.dependencies:
            walk(below)

    for router in _versions(airflow).values():
        for route in router.routes:
            for method in route.methods:
                endpoint = (method, re.sub(r"{[^}]*}", "x", route.path))
                if endpoint in ENDPOINTS:
                    found.add(endpoint)
                    for below in route.dependant.dependencies:
                        walk(below)
    assert found == set(ENDPOINTS)
    assert waiting <= _WAITS_FOR_NO_LOOP


def _methods(call: Any) -> tuple[Any, ...]:
    return () if inspect.isroutine(call) or inspect.isclass(call) else (type(call).__call__,)


async def test_every_dag_that_a_request_of_airflow_names_is_seen(airflow: FastAPI) -> None:
    """Which Dags an agent may reach is decided by the id in the path or in the query; a route that names one otherwise
    would pass unseen."""
    named = {
        (key, one.alias)
        for key, route in _served(airflow).items()
        for one in (*route.dependant.path_params, *route.dependant.query_params)
        if "dag" in one.alias
    }
    assert len(named) > 15
    # `dag_result` says whether an XCom is what the whole run returns
    assert {alias for _, alias in named} == {"dag_id", "dag_result"}
