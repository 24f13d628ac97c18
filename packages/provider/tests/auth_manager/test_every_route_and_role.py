"""Which role may use which route of a Deployment's Airflow: measured at every route of the real application (scenario 7).

The result is `docs/reference/platform-roles/airflow.json`. A route that is new, or answers a role otherwise, fails here:
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

from .conftest import AIRFLOW, Deployment

FILE = Path(__file__).parents[4] / "docs" / "reference" / "platform-roles" / "airflow.json"
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
