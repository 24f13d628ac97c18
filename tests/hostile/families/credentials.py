"""Without a credential, with one that is good for nothing, and with one that is good for something else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx

from tradewind_protocol import paths

from ..attempts import Act, Attempt
from ..sites import headers
from ..world import World
from .verbs import CALLS, Call

FAMILY: Final = "credentials"

_EXECUTION: Final = Call("GET", paths.EXECUTION + "/task-instances/count")

KINDS: Final[dict[str, Callable[[World], str | None]]] = {
    "none": lambda world: None,
    "empty": lambda world: "",
    "only the word": lambda world: "Bearer",
    "blanks": lambda world: "Bearer    ",
    "a password": lambda world: "Basic " + base64.b64encode(b"ada:pw-ada").decode(),
    "never made": lambda world: f"Bearer {world.other['never made']}",
    "of another Deployment": lambda world: f"Bearer {world.other['another deployment' + chr(39) + 's']}",
    "deleted": lambda world: f"Bearer {world.other['deleted']}",
    "expired": lambda world: f"Bearer {world.other['expired']}",
    "of an ended session": lambda world: f"Bearer {world.other['ended session']}",
    "of a session never made": lambda world: f"Bearer {world.other['session never made']}",
    "a local secret": lambda world: f"Bearer {world.other['local secret']}",
    "a user's": lambda world: f"Bearer {world.users['ada']}",
    "cut": lambda world: f"Bearer {world.attacker.token[:-1]}",
    "with more": lambda world: f"Bearer {world.attacker.token}x",
    "in other case": lambda world: f"Bearer {world.attacker.session.upper()}",
    "two in one": lambda world: f"Bearer {world.other['deleted']}, Bearer {world.attacker.token}",
    "of 60 kB": lambda world: "Bearer tw_session_" + "x" * 60_000,
    "in another alphabet": lambda world: "Bearer tw_session_" + "\u00e9" * 43,
}


def _with(call: Call, kind: str) -> Act:
    async def act(world: World) -> httpx.Response:
        given = headers()
        said = KINDS[kind](world)
        pairs = [*given.items(), *([] if said is None else [("authorization", said)])]
        body = call.body(world.attacker)
        return await world.raw(call.method, call.at(), pairs, body=_json(body))

    return act


def _swapped(call: Call) -> Act:
    """The session's token where the agent token belongs, and the reverse."""

    async def act(world: World) -> httpx.Response:
        bearer = world.attacker.session if call.token else world.attacker.token
        return await world.ask(
            call.method, call.at(), given=headers(bearer), json_body=call.body(world.attacker)
        )

    return act


AIRFLOWS: Final = (
    ("GET", "/api/v2/dags"),
    ("GET", "/api/v2/variables"),
    ("GET", "/api/v2/variables/plane_var"),
    ("GET", "/api/v2/connections"),
    ("GET", "/api/v2/connections/plane_conn"),
    ("GET", "/api/v2/dags/eu_dag/dagRuns"),
    ("GET", "/api/v2/dags/eu_dag/dagRuns/r1/taskInstances/running/xcomEntries/secret"),
    ("POST", "/api/v2/dags/eu_dag/dagRuns"),
    ("DELETE", "/api/v2/variables/plane_var"),
    ("GET", "/api/v2/config"),
    ("GET", "/api/v2/eventLogs"),
    ("GET", "/ui/dags"),
    ("GET", "/execution/variables/plane_var"),
    ("GET", "/execution/connections/plane_conn"),
    ("GET", "/execution/dag-runs/count"),
    ("GET", "/execution/xcoms/eu_dag/r1/running/secret"),
    ("GET", "/tradewind/v1/tokens"),
    ("POST", "/tradewind/v1/tokens"),
    ("GET", "/tradewind/v1/agents"),
)
"""What is Airflow's own, or people's."""


def _airflow(method: str, path: str, kind: str) -> Act:
    async def act(world: World) -> httpx.Response:
        bearer = {"agent token": world.attacker.token, "session token": world.attacker.session, "none": ""}[
            kind
        ]
        return await world.ask(
            method, path, given=headers(bearer), json_body={} if method == "POST" else None
        )

    return act


def _json(body: Any) -> bytes:
    import json

    return b"" if body is None else json.dumps(body, default=str).encode()


def _all() -> Iterator[Attempt]:
    for call in (*CALLS, _EXECUTION):
        for kind in KINDS:
            yield Attempt(FAMILY, f"{call.name} with a credential: {kind}", _with(call, kind))
        yield Attempt(FAMILY, f"{call.name} with the agent's other credential", _swapped(call))
    for method, path in AIRFLOWS:
        for kind in ("agent token", "session token", "none"):
            yield Attempt(
                FAMILY, f"{method} {path} with an agent's credential: {kind}", _airflow(method, path, kind)
            )


ATTEMPTS: Final = tuple(_all())
