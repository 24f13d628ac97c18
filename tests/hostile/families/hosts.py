"""Names that are for agents, and paths that two readers could read differently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import httpx

from tradewind_protocol import paths

from ..attempts import Act, Attempt, refused
from ..sites import AGENTS_HOST, headers
from ..world import World

NAMES: Final = "host names"
PATHS: Final = "paths"

HOSTS: Final[dict[str, list[tuple[str, str]]]] = {
    "plain": [("host", AGENTS_HOST)],
    "with a port": [("host", f"{AGENTS_HOST}:8080")],
    "in capitals": [("host", AGENTS_HOST.upper())],
    "with a final dot": [("host", f"{AGENTS_HOST}.")],
    "with a final dot and a port": [("host", f"{AGENTS_HOST}.:443")],
    "with a user": [("host", f"x@{AGENTS_HOST}")],
    "with a user and a password": [("host", f"x:y@{AGENTS_HOST}")],
    "with a path": [("host", f"{AGENTS_HOST}/")],
    "with a path and a name": [("host", f"{AGENTS_HOST}/plane")],
    "with a fragment": [("host", f"{AGENTS_HOST}#plane")],
    "with a query": [("host", f"{AGENTS_HOST}?plane")],
    "with a blank": [("host", f"{AGENTS_HOST} ")],
    "with a tab": [("host", f"\t{AGENTS_HOST}")],
    "with a backslash": [("host", f"{AGENTS_HOST}\\plane")],
    "in percents": [("host", "eu.agents.example%2Ecom")],
    "in brackets": [("host", f"[{AGENTS_HOST}]")],
    "with a word for a port": [("host", f"{AGENTS_HOST}:http")],
    "behind a proxy": [("host", "plane"), ("x-forwarded-host", AGENTS_HOST)],
    "behind a proxy, the other way": [("host", AGENTS_HOST), ("x-forwarded-host", "plane")],
    "behind two proxies": [("host", "plane"), ("x-forwarded-host", f"plane, {AGENTS_HOST}")],
    "twice": [("host", "plane"), ("host", AGENTS_HOST)],
    "twice, the other way": [("host", AGENTS_HOST), ("host", "plane")],
    "with a host in X-Host": [("host", AGENTS_HOST), ("x-host", "plane")],
    "with a host in Forwarded": [("host", AGENTS_HOST), ("forwarded", "host=plane")],
}
PEOPLES: Final = (
    ("GET", "/"),
    ("GET", "/auth/login"),
    ("POST", "/auth/token"),
    ("GET", "/api/v2/dags"),
    ("GET", "/api/v2/monitor/health"),
    ("GET", "/docs"),
    ("GET", "/openapi.json"),
    ("GET", "/tradewind/v1/agents"),
    ("GET", "/execution/health"),
    ("GET", "/static/index.js"),
    ("GET", "//"),
    ("GET", "/remote-execution/../"),
)


def _on(pairs: list[tuple[str, str]], method: str, path: str) -> Act:
    async def act(world: World) -> httpx.Response:
        signed_in = [("authorization", f"Bearer {world.users['ada']}"), ("content-type", "application/json")]
        body = b'{"username": "ada", "password": "pw-ada"}' if method == "POST" else b""
        return await world.raw(method, path, [*pairs, *signed_in], body=body)

    return act


def _not_there(world: World, answer: httpx.Response) -> str:
    """On such a name a user's page is not there, whoever asks."""
    return "" if answer.status_code in (404, 400) else f"it was answered with {answer.status_code}"


TRICKS: Final = (
    "/task-instances/{mine}/../{theirs}/state",
    "/task-instances/./{theirs}/state",
    "/task-instances/{theirs}/state/",
    "/task-instances//{theirs}/state",
    "//task-instances/{theirs}/state",
    "/task-instances/{theirs}/state\x00",
    "/task-instances/{theirs}\n/state",
    "/task-instances/{theirs}%00/state",
    "/task-instances/{mine}%2f..%2f{theirs}/state",
    "/task-instances/{mine}/..%2f{theirs}/state",
    "/TASK-INSTANCES/{theirs}/state",
    "/task-instances/{theirs};a=b/state",
    "/task-instances/{theirs}/state;a=b",
    "/task-instances/{theirs_upper}/state",
    "/task-instances/{{{theirs}}}/state",
    "/task-instances/urn:uuid:{theirs}/state",
    "/task-instances/{theirs_hex}/state",
    "/task-instances/ {theirs}/state",
    "/xcoms/us_dag/r1/running/../../../eu_dag/r1/running/secret",
    "/xcoms/us_dag/r1/../../eu_dag/r1/running/secret",
    "/xcoms/eu_dag/r1/running/secret/",
    "/xcoms/eu_dag//r1/running/secret",
    "/xcoms/eu_dag/r1/running//secret",
    "/xcoms/eu_dag/r1/running/secret/item/0",
    "/xcoms/eu_dag/r1/running/secret/slice",
    "/xcoms/us_dag\\..\\eu_dag/r1/running/secret",
    "/dag-runs/us_dag/../eu_dag/r1",
    "/connections/plane_conn",
    "/connections//plane_conn",
    "/connections/./plane_conn",
    "/variables/plane_var",
    "/variables//plane_var",
    "/variables/x/../plane_var",
    "/docs",
    "/redoc",
    "/openapi.json",
    "/../variables/plane_var",
    "/../../v1/poll",
    "/..",
    "/health/../connections/plane_conn",
)
METHODS: Final = ("GET", "PATCH", "PUT", "POST", "DELETE", "TRACE", "OPTIONS", "patch")


def _trick(path: str, method: str) -> Act:
    async def act(world: World) -> httpx.Response:
        mine, theirs = world.attacker.tasks["running"], world.victim.tasks["running"]
        asked = path.format(mine=mine, theirs=theirs, theirs_upper=str(theirs).upper(), theirs_hex=theirs.hex)
        given = headers(world.attacker.session, world.attacker.attempts["running"])
        body = b'{"state": "success", "end_date": "2030-01-01T00:00:00Z"}'
        return await world.raw(method, paths.PREFIX + paths.EXECUTION + asked, list(given.items()), body=body)

    return act


def _lying(raw_path: str) -> Act:
    """What the server decoded and what came over the wire are not the same."""

    async def act(world: World) -> httpx.Response:
        mine, theirs = world.attacker.tasks["running"], world.victim.tasks["running"]
        given = headers(world.attacker.session, world.attacker.attempts["running"])
        base = paths.PREFIX + paths.EXECUTION
        return await world.raw(
            "GET",
            f"{base}/task-instances/{mine}/previous-successful-dagrun",
            list(given.items()),
            raw_path=(base + raw_path.format(theirs=theirs)).encode(),
        )

    return act


def _not_theirs(world: World, answer: httpx.Response) -> str:
    """It may be answered as its path says; what is in the answer and in the tables is looked at in any case."""
    return "" if answer.status_code < 500 else f"the plane failed with {answer.status_code}"


def _cross(header: str) -> Act:
    """A page of another origin sends a signed-in user's browser to the operator API."""

    async def act(world: World) -> httpx.Response:
        pairs = [
            ("host", "plane"),
            ("cookie", f"_token={world.users['ada']}"),
            ("origin", "https://evil.example"),
            ("content-type", header),
        ]
        return await world.raw(
            "POST", "/tradewind/v1/tokens", pairs, body=b'{"name": "evil", "expires_in_days": null}'
        )

    return act


def _all() -> Iterator[Attempt]:
    for name, pairs in HOSTS.items():
        for method, path in PEOPLES:
            yield Attempt(
                NAMES, f"{method} {path} on an agents' name {name}", _on(pairs, method, path), _not_there
            )
    for path in TRICKS:
        for method in METHODS:
            # an unknown Dag has no XCom to delete, which Airflow confirms
            held = _not_theirs if "\\" in path else refused
            yield Attempt(PATHS, f"{method} {path!r}", _trick(path, method), held)
    for raw_path in (
        "/task-instances/{theirs}/state",
        "/variables/plane_var",
        "/../../../api/v2/variables/plane_var",
    ):
        yield Attempt(PATHS, f"a decoded path that is not {raw_path!r}", _lying(raw_path), _not_theirs)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        yield Attempt(PATHS, f"another origin's form of type {kind!r} makes a token", _cross(kind), refused)


ATTEMPTS: Final = tuple(_all())
