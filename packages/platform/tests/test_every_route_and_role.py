"""Which role may use which route of the platform: measured with a caller of each role at every route (scenario 7).

The results are `docs/reference/platform-roles/platform.json`, and `permissions.json` for the permissions of custom roles. A route that is new, or answers a role otherwise, fails here: look
at it, then write the file anew with `TRADEWIND_WRITE_ROLES=1 pytest` of this file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from support import plane_archive
from support.http_client import Client
from support.platform_parts import Reconciled
from tradewind_platform.api.app import create_app
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.component_logs import Component
from tradewind_platform.domain.custom_roles import ALWAYS, GRANTABLE
from tradewind_platform.domain.roles import Level, Permission, Role
from tradewind_platform.store.life_tables import Backup
from tradewind_platform.store.sessions import Store

FOLDER = Path(__file__).parents[3] / "docs" / "reference" / "platform-roles"
FILE = FOLDER / "platform.json"
BY_PERMISSION = FOLDER / "permissions.json"
"""Of the routes that a custom role may open: which of its permissions opens each by itself. None: it takes several."""
CLOSED = (401, 403, 404)
ARCHIVE = plane_archive.made(airflow="3.3.0")
EXAMPLES: dict[str, dict[str, Any]] = {
    "NewApiToken": {"name": "made", "role": "deployment_viewer", "deployment": "sales"},
    "PurgeDeployment": {"name": "sales"},
    "MoveDeployment": {"workspace": "default"},
    "Upgrade": {"version": "3.3.2"},
    "NewDeploy": {"digest": ARCHIVE[0]},
    "AddMember": {"user": "ada"},
    "BindRole": {"user": "grace", "role": "deployment_viewer", "deployment": "sales"},
    "NewInvite": {"email": "linus@example.com", "role": "deployment_viewer", "deployment": "sales"},
    "SignInSettings": {
        "issuer": "https://id.example.com",
        "client_id": "tradewind",
        "client_secret": "canary",
    },
}
"""Bodies of which the description does not say all."""
ONES_OWN = ("/v1/me",)
"""Below these, every caller has things of its own."""


class ForgetfulStore(Store):
    """Nothing is kept: each request finds what was there at the beginning."""

    @contextmanager
    def transaction(self, organization: UUID) -> Iterator[Session]:
        with super().transaction(organization) as db:
            yield db
            db.rollback()


def _example(schema: dict[str, Any], known: dict[str, Any]) -> Any:
    """The smallest thing that fits a schema."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return EXAMPLES.get(name) or _example(known[name], known)
    for one in schema.get("anyOf", ()) or schema.get("oneOf", ()):
        if one.get("type") != "null":
            return _example(one, known)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: _example(schema["properties"][name], known) for name in schema.get("required", ())}
    if kind == "array":
        return [_example(schema["items"], known)] * schema.get("minItems", 0)
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    if kind == "boolean":
        return True
    formats = {"uuid": str(uuid4()), "date-time": "2026-03-02T12:00:00Z"}
    return formats.get(schema.get("format", ""), "made")


def _of_each_layer(paths: dict[str, Any]) -> dict[str, Any]:
    """The routes that a cluster, a workspace and a Deployment have alike, one for each."""
    found = {}
    for path, operations in paths.items():
        for layer in ("cluster", "workspace", "deployment") if "{scope}" in path else ("",):
            found[path.replace("{scope}", f"{layer}s").replace("{reference}", f"{{{layer}}}")] = operations
    return found


@dataclass(frozen=True)
class Route:
    """A request that makes sense, to things that were made for it."""

    method: str
    path: str
    filled: str
    sent: Any
    content: bytes | None

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class EveryRoute:
    """Every route, for callers with any role on the Deployment `sales`, its workspace and the organization. Nothing that is asked is kept."""

    api: Reconciled
    scopes: dict[Level, dict[str, str]]
    anyone: TestClient
    routes: tuple[Route, ...]

    def token(self, role: str, level: Level) -> str:
        """The value of a new token with that role."""
        asked = {"name": f"t-{uuid4().hex[:8]}", "role": role, **self.scopes[level]}
        answer = self.api.owner.post("/v1/api-tokens", json=asked)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def status(self, route: Route, token: str | None) -> int:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        sends = {"json": route.sent} if route.content is None else {"content": route.content}
        answer = self.anyone.request(route.method, route.filled, headers=headers, **sends)
        return answer.status_code

    def opens(self, route: Route, token: str) -> bool:
        return self.status(route, token) not in CLOSED


@pytest.fixture
def every_route(reconciled: Reconciled) -> EveryRoute:
    api = reconciled
    offered = Offered((Release("3.3.2"), Release("3.3.0")))
    api.app.state.platform = replace(api.platform, offered=offered)
    sales = api.created("sales", version="3.3.0")
    token = api.owner.post("/v1/api-tokens", json=EXAMPLES["NewApiToken"]).json()["id"]
    operation = api.owner.get("/v1/operations").json()["items"][0]["id"]
    with api.platform.store.transaction(api.organization) as db:
        backup = Backup(
            deployment_id=UUID(sales["id"]), state="done", key="", created_at=api.time.now, created_by="ada"
        )
        db.add(backup)
    api.user("grace")
    for path, body in {
        "teams": {"name": "crew"},
        "teams/crew/members": {"user": "grace"},
        "role-bindings": {"user": "ada", "role": "deployment_viewer", "deployment": "sales"},
        "invites": {**EXAMPLES["NewInvite"], "email": "ken@example.com"},
        "roles": {"name": "on-call", "permissions": []},
    }.items():
        answer = api.owner.post(f"/v1/{path}", json=body)
        assert answer.status_code < 300, answer.text
    sent_to = f"/v1/deployments/sales/archives/{ARCHIVE[0]}"
    assert api.owner.put(sent_to, content=ARCHIVE[1]).status_code == 200
    things = {
        "digest": ARCHIVE[0],
        "user": "grace",
        "team": "crew",
        "role": "on-call",
        "binding": api.owner.get("/v1/role-bindings").json()["items"][-1]["id"],
        "invite": api.owner.get("/v1/invites").json()["items"][0]["id"],
        "backup": str(backup.id),
        "workspace": sales["workspace"],
        "deployment": sales["id"],
        "token": token,
        "cluster": sales["cluster"],
        "operation": operation,
        "option": "core.parallelism",
        "variable": "MADE",
        "component": Component.SCHEDULER.value,
    }
    api.driver.write(sales["slug"], Component.SCHEDULER, "made")
    for layer in ("cluster", "workspace", "deployment"):
        for setting in (f"configuration/{things['option']}", f"variables/{things['variable']}"):
            made = api.owner.put(f"/v1/{layer}s/{things[layer]}/{setting}", json={"value": "7"})
            assert made.status_code == 200, made.text
    description = api.owner.get("/openapi.json").json()
    store = ForgetfulStore(api.platform.store.engine)
    app = create_app(replace(api.platform, store=store, offered=offered))
    return EveryRoute(
        api,
        {
            Level.ORGANIZATION: {},
            Level.WORKSPACE: {"workspace": sales["workspace"]},
            Level.DEPLOYMENT: {"deployment": sales["id"]},
        },
        Client(app, raise_server_exceptions=False),
        tuple(_routes(description, things)),
    )


def _routes(description: dict[str, Any], things: dict[str, str]) -> Iterator[Route]:
    for path, operations in sorted(_of_each_layer(description["paths"]).items()):
        for method, one in sorted(operations.items()):
            filled = path
            for name, value in things.items():
                filled = filled.replace(f"{{{name}}}", value)
            filled = "/".join(str(uuid4()) if part.startswith("{") else part for part in filled.split("/"))
            body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            sent = None if body is None else _example(body, description["components"]["schemas"])
            content = ARCHIVE[1] if path.endswith("{digest}") else None
            yield Route(method.upper(), path, filled, sent, content)


def _agrees(found: dict[str, list[str]], file: Path) -> None:
    """What was measured is what the file says; it is written anew where that is asked for."""
    if os.environ.get("TRADEWIND_WRITE_ROLES"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.timeout(600)
def test_scenario_7_every_route_answers_each_role_as_the_table_says(every_route: EveryRoute) -> None:
    values = {role: every_route.token(role.value, role.level) for role in Role}
    found: dict[str, list[str]] = {}
    undecided = []
    for route in every_route.routes:
        assert every_route.status(route, None) == 401, route.name
        answers = {role: every_route.status(route, value) for role, value in values.items()}
        owner = answers[Role.ORGANIZATION_OWNER]
        if owner == 422:
            undecided.append(f"{route.name}: {route.sent}")
        found[route.name] = [role.value for role, code in answers.items() if code not in CLOSED]
        if owner in (*CLOSED, 500) and not route.path.startswith(ONES_OWN):
            undecided.append(f"{route.name}: {answers}")
    assert not undecided, f"give an example of the body of {undecided}"
    _agrees(found, FILE)


@pytest.mark.timeout(600)
def test_each_permission_of_a_custom_role_opens_the_routes_that_the_table_says(
    every_route: EveryRoute,
) -> None:
    """A role with all that a custom role may have opens what an administrator of the Deployment may use, and a role with one
    permission a part of that."""

    def token(name: str, permissions: list[str], airflow_role: str | None = None) -> str:
        ask = {"name": name, "permissions": permissions, "airflow_role": airflow_role}
        answer = every_route.api.owner.post("/v1/roles", json=ask)
        assert answer.status_code == 201, answer.text
        return every_route.token(name, Level.DEPLOYMENT)

    everything = token("everything", [one.value for one in GRANTABLE], "ADMIN")
    administrators = {
        name
        for name, may in json.loads(FILE.read_text(encoding="utf-8")).items()
        if "deployment_admin" in may
    }
    assert {one.name for one in every_route.routes if every_route.opens(one, everything)} == administrators
    nothing = token("nothing", [])
    found: dict[str, list[str]] = {}
    for route in every_route.routes:
        if route.name in administrators:
            found[route.name] = [ALWAYS.value] if every_route.opens(route, nothing) else []
    for at, permission in enumerate(one for one in Permission if one in GRANTABLE - {ALWAYS}):
        value = token(f"only-{at}", [permission.value])
        for route in every_route.routes:
            if route.name in found and every_route.opens(route, value):
                if ALWAYS.value not in found[route.name]:
                    found[route.name].append(permission.value)
    _agrees(found, BY_PERMISSION)


def test_only_owners_and_administrators_change_members_and_tokens_of_others() -> None:
    """Read in the table: a viewer, an author and an auditor change nothing but what is their own."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    assert len(table) > 25
    weak = {
        "organization_auditor",
        "organization_member",
        "workspace_viewer",
        "workspace_author",
        "deployment_viewer",
        "deployment_author",
    }
    for route, may in table.items():
        method, _, path = route.partition(" ")
        if method != "GET" and not path.startswith(ONES_OWN):
            assert not weak & set(may), route
