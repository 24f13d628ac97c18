"""Every route of the operator API, by a user of each role, and by what an agent holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import httpx

from ..attempts import Act, Attempt
from ..sites import headers
from ..world import World

FAMILY: Final = "operator API"

ROUTES: Final[dict[str, dict[str, Any]]] = json.loads(
    (Path(__file__).parents[3] / "docs/reference/operator-api.json").read_text()
)["paths"]

READ: Final = {
    "/me",
    "/agents",
    "/agents/{agent_id}",
    "/attempts",
    "/queues",
    "/queues/throughput",
    "/bundles",
    "/sentinels",
    "/sentinels/findings",
}
OPERATE: Final = {
    "GET /tokens", "GET /tokens/{token_id}", "GET /allowed-addresses", "GET /connectivity", "GET /site-access", "POST /agents/{agent_id}/cordon", "POST /agents/{agent_id}/drain",
    "POST /agents/{agent_id}/resume", "POST /agents/{agent_id}/slots", "DELETE /agents/{agent_id}", "POST /attempts/{attempt_id}/stop",
}  # fmt: skip
AUDIT: Final = {"GET /events"}
"""Written down here, and not read from the code: everything else is an administrator's."""

BODIES: Final[dict[str, Any]] = {
    "POST /tokens": {"name": "mine", "expires_in_days": None},
    "POST /tokens/{token_id}/rotate": {"overlap_hours": 0},
    "PUT /allowed-addresses": {"networks": ["0.0.0.0/0"]},
    "POST /agents/{agent_id}/slots": {"environment": "main", "slots": 0},
    "POST /site-access": {"site": "us", "other": "eu", "access": "write"},
}


def allowed(name: str) -> set[str]:
    """The roles that may."""
    method, _, path = name.partition(" ")
    if method == "GET" and path in READ:
        return {"viewer", "user", "op", "admin"}
    if name == "POST /recipes":  # changes nothing
        return {"viewer", "user", "op", "admin"}
    if name in AUDIT:  # SimpleAuthManager lets viewers read the audit log, as it does Airflow's
        return {"viewer", "user", "op", "admin"}
    return {"op", "admin"} if name in OPERATE else {"admin"}


def _act(name: str, who: str) -> Act:
    async def act(world: World) -> httpx.Response:
        method, _, path = name.partition(" ")
        ids = {
            "agent_id": str(world.victim.agent_id), "attempt_id": world.victim.attempts["running"].partition(":")[0],
            "token_id": str(world.victim.token_id), "name": world.victim.bundle, "site": world.victim.name, "id": str(uuid4()),
        }  # fmt: skip
        for parameter, value in ids.items():
            path = path.replace("{" + parameter + "}", value).replace("{" + parameter + ":path}", value)
        bearer = {"nobody": "", "agent token": world.attacker.token, "session": world.attacker.session}.get(
            who
        )
        if bearer is None:
            bearer = world.users[{"viewer": "vera", "user": "una", "op": "olga"}[who]]
        body = BODIES.get(name, {}) if method in ("POST", "PUT", "PATCH") else None
        return await world.ask(method, "/tradewind/v1" + path, given=headers(bearer), json_body=body)

    return act


def names() -> Iterator[str]:
    for path, verbs in ROUTES.items():
        for method in verbs:
            if method in ("get", "post", "put", "patch", "delete"):
                yield f"{method.upper()} {path.removeprefix('/v1')}"


def _all() -> Iterator[Attempt]:
    for name in names():
        for who in ("nobody", "agent token", "session", "viewer", "user", "op"):
            if who not in allowed(name):
                yield Attempt(FAMILY, f"{name} by {who}", _act(name, who))


ATTEMPTS: Final = tuple(_all())
