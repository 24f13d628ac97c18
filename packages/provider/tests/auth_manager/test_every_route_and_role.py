"""Which role may use which route of a Deployment's Airflow: measured at every route of the real application (scenario 7).

The results are `docs/reference/platform-roles/airflow.json`, and `operator.json` for the permissions of custom roles. A route that is new, or answers a role otherwise, fails here:
look at it, then write the file anew with `TRADEWIND_WRITE_ROLES=1 pytest` of this file.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Mount

from support.http_client import Client
from tradewind_protocol.access import PERMISSIONS_OF_AIRFLOW_ROLE

from .conftest import AIRFLOW, Deployment

OPERATOR = "/tradewind/"

FOLDER = Path(__file__).parents[4] / "docs" / "reference" / "platform-roles"
FILE = FOLDER / "airflow.json"
BY_PERMISSION = FOLDER / "operator.json"
"""Of the operator API: which permission of a custom role opens which route."""
CALLERS = {
    "anonymous": None,
    "viewer": ("VIEWER", False),
    "auditor": ("VIEWER", True),
    "user": ("USER", False),
    "op": ("OP", False),
    "admin": ("ADMIN", True),
}
_OTHERS = ("/remote-execution", "/auth/logout", "/api/v2/auth/logout")
"""What agents ask for with tokens of their own, and what ends the caller's session."""

_DELETE_ONE = {"actions": [{"action": "delete", "entities": ["1"]}]}
_BODIES = {
    "PATCH /api/v2/connections": _DELETE_ONE,
    "PATCH /api/v2/pools": _DELETE_ONE,
    "PATCH /api/v2/variables": _DELETE_ONE,
    "PATCH /api/v2/dags/{dag_id}/dagRuns": _DELETE_ONE,
    "POST /api/v2/dags/{dag_id}/clearDagRuns": {"dag_runs": [{"dag_run_id": "1"}]},
}
"""Of these, the body says what is asked for."""
_READS = frozenset(
    {
        "POST /api/v2/dags/{dag_id}/dagRuns/list",
        "POST /api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/list",
        "POST /tradewind/v1/recipes",
    }
)
_ONES_OWN = frozenset(
    {
        "POST /api/v2/dags/{dag_id}/favorite",
        "POST /api/v2/dags/{dag_id}/unfavorite",
        "POST /ui/auth/token",
    }
)
"""A person's own list, and another token of the same person."""
_DECIDED_BY_THE_THING = frozenset(
    {
        "PUT /api/v2/backfills/{backfill_id}/cancel",
        "PUT /api/v2/backfills/{backfill_id}/pause",
        "PUT /api/v2/backfills/{backfill_id}/unpause",
        "POST /api/v2/connections/enqueue-test",
        "PUT /api/v2/parseDagFile/{file_token}",
    }
)
"""Airflow looks for the thing first, and here there is none: it answers 404 or 422 to everyone."""


def _routes(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Mount) and isinstance(route.app, FastAPI):
            yield from _routes(route.app.routes, prefix + route.path)
        elif isinstance(route, APIRoute) and not (prefix + route.path).startswith(_OTHERS):
            if "rest_of_path" not in route.path:
                yield from ((method, prefix + route.path) for method in sorted(route.methods))


def _may(caller: Client, method: str, path: str) -> bool:
    """Whether the caller gets as far as to be answered, for things that do not exist."""
    filled = re.sub(r"\{[^}]*\}", "1", path)
    answer = caller.request(method, filled, json=_BODIES.get(f"{method} {path}"), follow_redirects=False)
    return answer.status_code not in (401, 403)


@pytest.mark.timeout(600)
def test_scenario_7_every_route_of_airflow_answers_each_role_as_the_table_says(
    deployment: Deployment,
) -> None:
    routes = sorted(set(_routes(deployment.app.routes)), key=lambda one: (one[1], one[0]))
    assert len(routes) > 120 and sum(path.startswith("/tradewind/") for _, path in routes) > 25
    # Deletions come last: none of them finds anything, but it costs nothing to be careful.
    routes.sort(key=lambda one: one[0] == "DELETE")
    found: dict[str, list[str]] = {f"{method} {path}": [] for method, path in routes}
    for name, held in CALLERS.items():
        client = Client(deployment.app, base_url=AIRFLOW, raise_server_exceptions=False)
        if held is not None:
            user = deployment.platform.person(f"the-{name}", held[0], audit=held[1])
            deployment.up_to_date()
            client.headers["Authorization"] = f"Bearer {deployment.token_of(user)}"
        for method, path in routes:
            if _may(client, method, path):
                found[f"{method} {path}"].append(name)
    measured = dict(sorted(found.items(), key=lambda one: (one[0].partition(" ")[2], one[0])))
    if os.environ.get("TRADEWIND_WRITE_ROLES"):
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    assert measured == json.loads(FILE.read_text(encoding="utf-8"))


@pytest.mark.timeout(600)
def test_each_permission_of_a_custom_role_opens_the_routes_of_the_operator_api_that_the_table_says(
    deployment: Deployment,
) -> None:
    """And nothing of Airflow's: that is a matter of the role in Airflow."""
    routes = sorted(set(_routes(deployment.app.routes)), key=lambda one: (one[0] == "DELETE", one[1], one[0]))
    may_nothing = deployment.signed_in("LIMITED", permissions=())
    closed = [one for one in routes if not _may(may_nothing, *one)]
    of_operator = [one for one in closed if one[1].startswith(OPERATOR)]
    of_airflow = [one for one in closed if not one[1].startswith(OPERATOR)]
    found: dict[str, list[str]] = {f"{method} {path}": [] for method, path in of_operator}
    for name in sorted(PERMISSIONS_OF_AIRFLOW_ROLE["ADMIN"]):
        caller = deployment.signed_in("LIMITED", permissions=(name,))
        for method, path in of_operator:
            if _may(caller, method, path):
                found[f"{method} {path}"].append(name)
    caller = deployment.signed_in("LIMITED", permissions=tuple(PERMISSIONS_OF_AIRFLOW_ROLE["ADMIN"]))
    assert [one for one in of_airflow if _may(caller, *one)] == []
    measured = dict(sorted(found.items(), key=lambda one: (one[0].partition(" ")[2], one[0])))
    if os.environ.get("TRADEWIND_WRITE_ROLES"):
        BY_PERMISSION.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    assert measured == json.loads(BY_PERMISSION.read_text(encoding="utf-8"))


def test_each_route_of_the_operator_api_is_opened_by_the_permissions_of_the_roles_that_may_use_it() -> None:
    """The two tables say the same: what a role in Airflow gives by itself are the permissions that open the route."""
    by_role = json.loads(FILE.read_text(encoding="utf-8"))
    by_permission = json.loads(BY_PERMISSION.read_text(encoding="utf-8"))
    for route, permissions in by_permission.items():
        if route == "GET /tradewind/v1/events":
            continue  # the audit trail's, which goes with no role
        assert len(permissions) == 1, route
        roles = {role.lower() for role, may in PERMISSIONS_OF_AIRFLOW_ROLE.items() if permissions[0] in may}
        assert roles == set(by_role[route]) - {"auditor"}, route


def test_what_changes_something_is_never_open_to_the_anonymous_or_a_viewer() -> None:
    """Read in the table: it is what a person would look for in it."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    for route, may in table.items():
        method, _, path = route.partition(" ")
        if method in ("GET", "HEAD", "OPTIONS") or path == "/auth/token":
            continue
        assert "anonymous" not in may, route
        assert "viewer" not in may or route in _READS | _ONES_OWN | _DECIDED_BY_THE_THING, route
        assert "admin" in may, route
