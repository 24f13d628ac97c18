"""Which role may use which route of the platform: measured with a caller of each role at every route (scenario 7).

The result is `docs/reference/platform-roles/platform.json`. A route that is new, or answers a role otherwise, fails here: look
at it, then write the file anew with `TRADEWIND_WRITE_ROLES=1 pytest` of this file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from support import plane_archive
from support.platform_parts import Reconciled
from tradewind_platform.api.app import create_app
from tradewind_platform.domain.catalogue import Offered, Release
from tradewind_platform.domain.roles import Level, Role
from tradewind_platform.store.life_tables import Backup
from tradewind_platform.store.sessions import Store

FILE = Path(__file__).parents[3] / "docs" / "reference" / "platform-roles" / "platform.json"
ARCHIVE = plane_archive.made(airflow="3.3.0")
EXAMPLES: dict[str, dict[str, Any]] = {
    "NewApiToken": {"name": "made", "role": "deployment_viewer", "deployment": "sales"},
    "PurgeDeployment": {"name": "sales"},
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


@pytest.mark.timeout(600)
def test_scenario_7_every_route_answers_each_role_as_the_table_says(reconciled: Reconciled) -> None:
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
    }.items():
        answer = api.owner.post(f"/v1/{path}", json=body)
        assert answer.status_code < 300, answer.text
    sent_to = f"/v1/deployments/sales/archives/{ARCHIVE[0]}"
    assert api.owner.put(sent_to, content=ARCHIVE[1]).status_code == 200
    things = {
        "digest": ARCHIVE[0],
        "user": "grace",
        "team": "crew",
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
    }
    for layer in ("cluster", "workspace", "deployment"):
        for setting in (f"configuration/{things['option']}", f"variables/{things['variable']}"):
            made = api.owner.put(f"/v1/{layer}s/{things[layer]}/{setting}", json={"value": "7"})
            assert made.status_code == 200, made.text
    scopes = {
        Level.ORGANIZATION: {},
        Level.WORKSPACE: {"workspace": sales["workspace"]},
        Level.DEPLOYMENT: {"deployment": sales["id"]},
    }
    values = {role: str(api.with_role(role, **scopes[role.level]).headers["authorization"]) for role in Role}
    description = api.owner.get("/openapi.json").json()
    store = ForgetfulStore(api.platform.store.engine)
    app = create_app(replace(api.platform, store=store, offered=offered))
    anyone = TestClient(app, raise_server_exceptions=False)

    found: dict[str, list[str]] = {}
    undecided = []
    for path, operations in sorted(_of_each_layer(description["paths"]).items()):
        for method, one in sorted(operations.items()):
            filled = path
            for name, value in things.items():
                filled = filled.replace(f"{{{name}}}", value)
            filled = "/".join(str(uuid4()) if part.startswith("{") else part for part in filled.split("/"))
            body = one.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            sent = None if body is None else _example(body, description["components"]["schemas"])

            content = ARCHIVE[1] if path.endswith("{digest}") else None

            def status(
                role: Role,
                method: str = method,
                filled: str = filled,
                sent: Any = sent,
                content: Any = content,
            ) -> int:
                headers = {"Authorization": values[role]}
                sends = {"json": sent} if content is None else {"content": content}
                return anyone.request(method.upper(), filled, headers=headers, **sends).status_code

            route = f"{method.upper()} {path}"
            assert anyone.request(method.upper(), filled, json=sent).status_code == 401, route
            answers = {role: status(role) for role in Role}
            owner = answers[Role.ORGANIZATION_OWNER]
            if owner == 422:
                undecided.append(f"{route}: {sent}")
            found[route] = [role.value for role, code in answers.items() if code not in (401, 403, 404)]
            if owner in (401, 403, 404, 500) and not path.startswith(ONES_OWN):
                undecided.append(f"{route}: {answers}")
    assert not undecided, f"give an example of the body of {undecided}"
    if os.environ.get("TRADEWIND_WRITE_ROLES"):
        FILE.parent.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(FILE.read_text(encoding="utf-8"))


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
