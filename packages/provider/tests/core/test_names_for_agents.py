"""Host names on which nothing but what agents ask for is served."""

from __future__ import annotations

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from tradewind_provider import settings
from tradewind_provider.api.ingress.agent_hosts import AgentHosts
from tradewind_provider.options import OPTIONS

from .scenes import Plane

HOSTS = ("*.external.example.com", "agents.example.com")


def everything() -> FastAPI:
    inner = FastAPI()

    @inner.websocket("/ws")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    @inner.api_route("/{rest:path}", methods=["GET", "POST"])
    def anything(rest: str) -> str:
        return "inside"

    return inner


async def asked(path: str, *, root: str = "", method: str = "GET", **headers: str) -> httpx.Response:
    app = AgentHosts(everything(), hosts=lambda: HOSTS)
    transport = httpx.ASGITransport(app, root_path=root)
    async with httpx.AsyncClient(transport=transport, base_url="http://plane") as client:
        return await client.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )


@pytest.mark.parametrize(
    "host", ["k3.external.example.com", "a.b.External.Example.COM:443", "agents.example.com."]
)
@pytest.mark.parametrize(
    "path",
    ["/", "/api/v2/version", "/tradewind/v1/agents", "/execution/x", "/auth/login", "/remote-execution/docs"],
)
async def test_people_find_nothing_there(host: str, path: str) -> None:
    answer = await asked(path, host=host)
    assert (answer.status_code, answer.text) == (404, "404 page not found")
    assert answer.headers["content-type"].startswith("text/plain")


async def test_agents_find_what_they_need() -> None:
    answer = await asked("/remote-execution/v1/poll", method="POST", host="k3.external.example.com")
    assert answer.json() == "inside"
    prefixed = await asked("/eu/remote-execution/v1/poll", root="/eu", host="k3.external.example.com")
    assert prefixed.json() == "inside"


async def test_whoever_asks_how_it_is_there_is_told_nothing_but_that() -> None:
    answer = await asked("/healthz", host="k3.external.example.com")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert (await asked("/healthz", method="POST", host="k3.external.example.com")).status_code == 404


async def test_a_balancer_is_told_whether_this_server_serves_agents(plane: Plane) -> None:
    outer = FastAPI()
    outer.mount("/remote-execution", plane.transport._inner.app)  # type: ignore[attr-defined]
    transport = httpx.ASGITransport(AgentHosts(outer, hosts=lambda: HOSTS), root_path="/eu")
    async with httpx.AsyncClient(transport=transport, base_url="http://agents.example.com") as client:
        answer = await client.get("/eu/readyz")
        assert (answer.status_code, answer.text) == (200, "ready\n")
        assert (await client.post("/eu/readyz")).status_code == 404
    async with httpx.AsyncClient(transport=transport, base_url="http://airflow.example.com") as client:
        assert (await client.get("/eu/readyz")).status_code == 404


@pytest.mark.parametrize(
    "host",
    [
        "x@agents.example.com",
        "agents.example.com/",
        "agents.example.com/x",
        "agents.example.com?x",
        "agents.example.com\\",
        "agents.example.com:80:80",
        "agents example.com",
        "[::1",
        "airflow.example.com, x@agents.example.com",
    ],
)
@pytest.mark.parametrize("header", ["host", "x_forwarded_host"])
async def test_a_name_that_is_none_serves_nothing_for_people(host: str, header: str) -> None:
    answer = await asked("/", **{"host": "airflow.example.com", header: host})
    assert (answer.status_code, answer.text) == (404, "404 page not found")
    answer = await asked("/remote-execution/v1/poll", **{"host": "airflow.example.com", header: host})
    assert answer.json() == "inside"


@pytest.mark.parametrize(
    "host",
    [
        "airflow.example.com",
        "AIRFLOW_1.example.com:8080",
        "10.0.0.7:",
        "",
        "external.example.com",
        "xagents.example.com",
        "[::1]:80",
    ],
)
async def test_other_names_serve_everything(host: str) -> None:
    assert (await asked("/api/v2/version", host=host)).json() == "inside"


async def test_saying_another_name_to_the_proxy_opens_nothing() -> None:
    answer = await asked("/", host="k3.external.example.com", x_forwarded_host="airflow.example.com")
    assert answer.status_code == 404
    answer = await asked("/", host="10.0.0.7:8080", x_forwarded_host="k3.external.example.com")
    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/openapi.json", "/docs/oauth2-redirect"])
async def test_the_agents_api_has_no_description_that_fetches_from_other_hosts(
    plane: Plane, path: str
) -> None:
    app = plane.transport._inner.app  # type: ignore[attr-defined]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plane") as client:
        assert (await client.get(path)).status_code == 404


def test_no_websocket_opens_there() -> None:
    client = TestClient(AgentHosts(everything(), hosts=lambda: HOSTS))
    with client.websocket_connect("/ws", headers={"host": "airflow.example.com"}):
        pass
    with pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)):
        with client.websocket_connect("/ws", headers={"host": "agents.example.com"}):
            pass


def test_the_names_are_read_from_the_configuration() -> None:
    options = {name: str(option["default"]) for name, option in OPTIONS.items()}
    assert settings.parse(options).agent_hosts == ()
    read = settings.parse(options | {"agent_hosts": "*.External.example.com, agents.example.com"})
    assert read.agent_hosts == HOSTS
