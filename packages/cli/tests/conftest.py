"""A plane's operator API in a few lines, on a real port, and the command line run against it."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import click.testing
import pytest
import uvicorn

from support.authority import Authority
from tradewind import cli
from tradewind_protocol import attempts, errors, operator, states
from tradewind_protocol.errors import Code

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
TOKEN_ID = UUID(int=1)
AGENT_ID = UUID(int=2)
SESSION_ID = UUID(int=3)
ATTEMPT_ID = UUID(int=4)

TOKEN = operator.TokenView(
    id=TOKEN_ID, name="ci", description="for CI", prefix="tw_agent_abcd…", created_at=NOW, created_by="admin"
)
ATTEMPT = operator.AttemptView(
    id=ATTEMPT_ID,
    kind=attempts.WorkKind.TASK,
    label="etl.load [manual, try 1]",
    queue="gpu",
    state=states.AttemptState.RUNNING,
    epoch=1,
    agent_id=AGENT_ID,
    agent_name="eu-1",
    created_at=NOW,
    granted_at=NOW + timedelta(seconds=3),
    waited=3.0,
)
AGENT = operator.AgentView(
    id=AGENT_ID,
    name="eu-1",
    state=states.AgentState.HEALTHY,
    session_id=SESSION_ID,
    components=(states.Component.WORKER, states.Component.TRIGGERER),
    queues=("default", "gpu"),
    slots=20,
    slots_used=1,
    environments=(operator.EnvironmentView(name="default", queues=("default", "gpu"), slots=20, used=1),),
    version="0.1.0",
    opened_at=NOW,
    last_beat_at=NOW,
    beat_age=4.0,
)

CONNECTIVITY = operator.Connectivity(
    source="203.0.113.7",
    admitted=True,
    why="agents may connect from anywhere",
    refused=(
        operator.RefusedTryView(
            source="203.0.113.7",
            code=Code.TOKEN_UNKNOWN,
            message="no agent token of this Deployment has that value",
            tries=3,
            first_at=NOW,
            last_at=NOW,
        ),
    ),
    verdict="Requests from there reach the plane, and the last one was refused.",
    remedy="check that it was copied whole",
)
GRANT = operator.SiteGrantView(
    id=UUID("00000000-0000-0000-0000-000000000009"),
    site="reporting",
    other="warehouse",
    access=operator.SiteAccess.READ,
    created_at=NOW,
    created_by="ada",
)


class FakePlane:
    """Holds one of everything, remembers what it was asked, and refuses what it is told to refuse."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str, str, Any]] = []  # method, path, query, body
        self.bearers: list[str] = []
        self.refusal: errors.Refusal | None = None
        self.good_tokens = {"good"}
        self.agents = [AGENT]
        self.allowed = operator.AllowedAddresses(
            networks=(operator.AllowedNetwork(network="203.0.113.0/24", description="office"),),
            revision=3,
            changed_at=NOW,
            changed_by="ada",
        )
        self.changed_meanwhile = 0  # how many more times somebody else is faster
        self.raw: tuple[int, bytes, bytes] | None = None  # status, content type, body: something else answers

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        bearer = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        status, answer = self.answer(
            scope["method"],
            scope["path"],
            scope["query_string"].decode(),
            json.loads(body or b"null"),
            bearer,
        )
        kind, content = b"application/json", json.dumps(answer).encode()
        if self.raw is not None:
            status, kind, content = self.raw
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": b"" if status == 204 else content})

    def answer(self, method: str, path: str, query: str, body: Any, bearer: str) -> tuple[int, Any]:
        if path == "/auth/token":
            right = body == {"username": "ada", "password": "lovelace"}
            return (201, {"access_token": "good"}) if right else (401, {"detail": "Invalid credentials"})
        self.asked.append((method, path.removeprefix("/tradewind/v1"), query, body))
        self.bearers.append(bearer)
        if bearer not in self.good_tokens:
            refusal = errors.Refusal(error=Code.TOKEN_EXPIRED, message="the sign-in has expired")
            return 401, refusal.model_dump(mode="json")
        if self.refusal is not None:
            return errors.STATUS[self.refusal.error], self.refusal.model_dump(mode="json")
        return self._answer(method, path.removeprefix("/tradewind/v1"), body)

    def _allowed(self, method: str, body: Any) -> tuple[int, Any]:
        if method == "PUT":
            if body["revision"] != self.allowed.revision or self.changed_meanwhile:
                self.changed_meanwhile -= 1
                self.allowed = self.allowed.model_copy(update={"revision": self.allowed.revision + 1})
                refusal = errors.Refusal(error=Code.CONFLICT, message="changed", detail={"revision": 1})
                return 409, refusal.model_dump(mode="json")
            ask = operator.SetAllowedAddresses.model_validate(body)
            named = {
                key: value
                for key in ("networks", "endpoints", "private_only")
                if (value := getattr(ask, key)) is not None
            }
            self.allowed = self.allowed.model_copy(update={**named, "revision": self.allowed.revision + 1})
        return 200, self.allowed.model_dump(mode="json")

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if method == "DELETE" or path.endswith("/release"):
            return 204, None
        if (method, path) in (("POST", "/tokens"), ("POST", f"/tokens/{TOKEN_ID}/rotate")):
            made = operator.TokenCreated(**TOKEN.model_dump(), token="tw_agent_" + "s" * 43)
            return 201, made.model_dump(mode="json")
        if path == "/me":
            me = operator.Me(name="ada", may=("read", "operate"), deployment="prod", address="203.0.113.7")
            return 200, me.model_dump(mode="json")
        if path.startswith("/connectivity"):
            return 200, CONNECTIVITY.model_dump(mode="json")
        if path == "/allowed-addresses":
            return self._allowed(method, body)
        if method == "POST" and path.startswith("/agents/"):
            return 200, AGENT.model_dump(mode="json")
        if path == f"/attempts/{ATTEMPT_ID}/stop":
            return 202, ATTEMPT.model_dump(mode="json")
        if path == f"/agents/{AGENT_ID}":
            return 200, self.agents[0].model_copy(update={"running": (ATTEMPT,)}).model_dump(mode="json")
        if path == f"/tokens/{TOKEN_ID}":
            return 200, TOKEN.model_dump(mode="json")
        if (method, path) == ("POST", "/site-access"):
            named = {name: body[name] for name in ("site", "other", "access")}
            made_grant = GRANT.model_validate({**GRANT.model_dump(), **named})
            return 201, made_grant.model_dump(mode="json")
        lists: dict[str, list[Any]] = {
            "/site-access": [GRANT],
            "/tokens": [TOKEN],
            "/agents": list(self.agents),
            "/attempts": [ATTEMPT],
            "/queues": [
                operator.QueueView(
                    queue="gpu",
                    canary=operator.CanaryView(
                        result=operator.CanaryResult.FAILED, hop=attempts.CanaryHop.CLAIM, failures=1, at=NOW
                    ),
                    depth=2,
                    oldest_wait=200.0,
                    warning="no agent serves this queue",
                )
            ],
            "/bundles": [
                operator.BundleView(
                    name="etl/main",
                    agent="eu-1",
                    token="ci",
                    spoken_for=True,
                    claimed_at=NOW,
                    files=3,
                    dags=7,
                    stored_at=NOW,
                )
            ],
            "/events": [
                operator.EventView(
                    id="7",
                    at=NOW,
                    action="token_created",
                    actor="admin",
                    subject="token:ci",
                    reason="for CI",
                    address="203.0.113.7",
                )
            ],
        }
        items = [item.model_dump(mode="json") for item in lists[path]]
        return 200, {"items": items, "total": len(items), "limit": 100, "offset": 0}


@pytest.fixture(scope="session")
def served() -> Iterator[tuple[str, dict[str, FakePlane]]]:
    """A server's address. Who answers there is the plane of the current test."""
    current: dict[str, FakePlane] = {}

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await current["plane"](scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(answer, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.005)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", current
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def plane(served: tuple[str, dict[str, FakePlane]]) -> FakePlane:
    url, current = served
    current["plane"] = FakePlane()
    current["plane"].url = url
    return current["plane"]


Run = Callable[..., click.testing.Result]


@pytest.fixture(scope="session")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One, in place of all that this machine trusts: a command reads them as it starts, for 20 ms of CPU."""
    return Authority(tmp_path_factory.mktemp("authorities"), "An authority that signed nothing").file


@pytest.fixture
def tradewind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authorities: Path) -> Run:
    """Run the command in this process: `tradewind("agents", "list")`. Knows no plane, has a directory of its own."""
    for name in ("PLANE_URL", "API_TOKEN", "API_TOKEN_FILE", "USERNAME", "CA_FILE", "CONTEXTS"):
        monkeypatch.delenv(f"TRADEWIND_{name}", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authorities))

    def run(*arguments: str, **keywords: Any) -> click.testing.Result:
        return click.testing.CliRunner().invoke(cli.main, list(arguments), prog_name="tradewind", **keywords)

    return run


@pytest.fixture
def at_plane(plane: FakePlane, tradewind: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same, with the environment naming the plane and a token it accepts."""
    monkeypatch.setenv("TRADEWIND_PLANE_URL", plane.url)
    monkeypatch.setenv("TRADEWIND_API_TOKEN", "good")
    return tradewind
