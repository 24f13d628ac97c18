"""How a request gets from the door to the application that answers it, and what is ready before the first one."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import httpx
import pytest
from airflow import settings as airflow_settings
from fastapi import Depends, FastAPI
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_provider.airflow import execution_api
from tradewind_provider.api.door import Door
from tradewind_provider.api.door.middleware import GARBAGE
from tradewind_provider.shortcuts.direct_dispatch import DirectDispatch

from .conftest import Plane

bound_to_this_request: ContextVar[str] = ContextVar("bound_to_this_request")


class Noting:
    """A middleware that notes what passes it."""

    def __init__(self, app: ASGIApp, passed: list[str]) -> None:
        self._app, self._passed = app, passed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._passed.append(scope["path"])
        await self._app(scope, receive, send)


async def test_what_airflow_puts_around_its_applications_for_browsers_is_left_out(plane: Plane) -> None:
    passed: list[str] = []

    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({"path": request.url.path, "by": request.headers["authorization"][:7]})

    inner = Starlette(routes=[Route("/task-instances/{id}/run", answer, methods=["PATCH"])])
    root = Starlette(
        routes=[Mount("/execution", inner), Route("/page", lambda _: JSONResponse({}))],
        middleware=[Middleware(Noting, passed=passed)],
    )
    through = Plane(root)
    session = through.session()
    ti_id = through.task_instance()
    async with through.http(session, through.attempt(session, ti_id)) as http:
        said = await http.patch(f"/task-instances/{ti_id}/run", json={})
        assert said.json() == {"path": f"/execution/task-instances/{ti_id}/run", "by": "Bearer "}
        assert passed == []
        assert (await http.get("http://plane/page")).status_code == 200
    assert passed == ["/page"]


async def test_a_poll_goes_straight_to_its_application_and_a_large_answer_is_compressed(plane: Plane) -> None:
    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({"offers": "x" * int((await request.json())["size"])})

    async def for_browsers(*_: Any) -> None:
        raise AssertionError("went round by what is for browsers")

    inner = Starlette(routes=[Route("/v1/poll", answer, methods=["POST"])])
    root = Starlette(routes=[Mount("/remote-execution", inner)])
    door = Door(for_browsers)

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        await door({**scope, "app": root}, receive, send)

    transport = httpx.ASGITransport(server)
    headers = {"authorization": f"Bearer {plane.session()}"}
    base_url = "http://plane/remote-execution/v1"
    async with httpx.AsyncClient(transport=transport, base_url=base_url, headers=headers) as http:
        small, large = [await http.post("/poll", json={"size": size}) for size in (100, 5000)]
    assert "content-encoding" not in small.headers
    assert large.headers["content-encoding"] == "gzip"
    assert large.json() == {"offers": "x" * 5000}


async def test_airflow_answers_by_the_short_way_as_by_the_long_one(
    airflow: FastAPI, plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, ti_id = plane.session(), plane.task_instance("running")
    attempt = plane.attempt(session, ti_id)
    asked = [
        ("PUT", f"/task-instances/{ti_id}/heartbeat", {"hostname": "h", "pid": 1}, {"correlation-id": "42"}),
        ("PUT", f"/task-instances/{ti_id}/heartbeat", {"hostname": "h"}, {}),
        (
            "PUT",
            f"/task-instances/{ti_id}/heartbeat",
            {"hostname": "h", "pid": 1},
            {"airflow-api-version": "2025-04-28"},
        ),
        ("GET", "/variables/nothing", None, {"correlation-id": "43"}),
        (
            "GET",
            f"/task-instances/{ti_id}/previous-successful-dagrun",
            None,
            {"airflow-api-version": "1999-01-01"},
        ),
    ]

    async def answers() -> list[tuple[int, dict[str, str], bytes]]:
        found = []
        async with plane.http(session, attempt) as http:
            for method, path, body, headers in asked:
                said = await http.request(method, path, json=body, headers=headers)
                headers = {name: value for name, value in said.headers.items() if name not in how_it_is_sent}
                found.append((said.status_code, headers, said.content))
        return found

    # a middleware that streams answers makes even the smallest be compressed
    how_it_is_sent = {"content-length", "content-encoding", "vary"}

    await execution_api.warm({"type": "lifespan", "app": airflow, "state": {}})
    ways = [execution_api._short_way(mount.app) for mount in airflow.routes if isinstance(mount, Mount)]
    assert any(isinstance(way, DirectDispatch) for way in ways)
    by_the_short_way = [await answers(), await answers()]  # the second time the token was verified before
    monkeypatch.setattr(execution_api, "_short_way", lambda app: None)
    assert by_the_short_way == [await answers()] * 2
    assert len({status for status, _, _ in by_the_short_way[0]}) > 1


async def test_airflows_routes_are_built_before_the_server_says_it_is_ready() -> None:
    events: list[str] = []

    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        events.append(f"built by {scope['path']}")
        await JSONResponse({})(scope, receive, send)

    events += await _started(FastAPI(routes=[Mount("/execution", late)]), events)
    assert events == ["built by /execution/health", "lifespan.startup.complete"]


async def test_a_server_whose_routes_cannot_be_built_starts_all_the_same() -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError("no routes")

    assert await _started(FastAPI(routes=[Mount("/execution", broken)]), []) == ["lifespan.startup.complete"]


async def test_a_server_whose_execution_api_is_not_found_says_so(caplog: pytest.LogCaptureFixture) -> None:
    await _started(FastAPI(), [])
    assert "go the long way" in caplog.text


async def test_an_execution_api_with_other_middlewares_than_those_known_keeps_them_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    passed: list[str] = []

    health = Route("/health", lambda _: JSONResponse({}))
    root = FastAPI(
        routes=[
            Mount("/execution", Starlette(routes=[health], middleware=[Middleware(Noting, passed=passed)]))
        ],
    )
    for _ in range(3):  # it is looked at once it was asked
        await execution_api.warm({"type": "lifespan", "app": root, "state": {}})
    assert passed == ["/execution/health"] * 3
    assert caplog.text.count("go the long way") == 1


async def _started(root: FastAPI, events: list[str]) -> list[str]:
    """Start a server the door stands in; what it says."""
    said: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert not events
        await send({"type": "lifespan.startup.complete"})

    async def nothing() -> Any:
        return {"type": "lifespan.startup"}

    async def hear(message: Any) -> None:
        said.append(message["type"])

    await Door(app)({"type": "lifespan", "app": root, "state": {}}, nothing, hear)
    return said


async def test_what_every_task_asks_is_answered_in_one_thread_beside_the_servers_loop(plane: Plane) -> None:
    threads: list[tuple[str, str]] = []
    loop, runs, others_are_served = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def session() -> Iterator[str]:
        threads.append(("session", threading.current_thread().name))
        yield "session"
        threads.append(("closed", threading.current_thread().name))

    inner = FastAPI()

    @inner.patch("/task-instances/{ti_id}/run")
    def run(ti_id: str, session: str = Depends(session)) -> dict[str, str]:
        threads.append(("run", threading.current_thread().name))
        loop.call_soon_threadsafe(runs.set)
        assert others_are_served.wait(10), "the server's loop waited for this"
        return {"noted": bound_to_this_request.get()}

    @inner.get("/task-instances/{ti_id}/previous-successful-dagrun")
    def read(ti_id: str, session: str = Depends(session)) -> dict[str, str]:
        threads.append(("read", threading.current_thread().name))
        return {}

    def page(_: Request) -> JSONResponse:
        others_are_served.set()
        return JSONResponse({})

    through = Plane(Starlette(routes=[Mount("/execution", inner), Route("/page", page)]))
    agent = through.session()
    ti_id = through.task_instance()
    bound_to_this_request.set("to the request")
    async with through.http(agent, through.attempt(agent, ti_id)) as http:
        running = asyncio.create_task(http.patch(f"/task-instances/{ti_id}/run", json={}))
        await runs.wait()
        assert (await http.get("http://plane/page")).status_code == 200
        assert (await running).json() == {"noted": "to the request"}
        assert [what for what, _ in threads] == ["session", "run", "closed"]
        assert {name.rpartition("_")[0] for _, name in threads} == {"tradewind-door"}
        assert len({name for _, name in threads}) == 1
        threads.clear()
        await http.get(f"/task-instances/{ti_id}/previous-successful-dagrun")
        assert not any("tradewind-door" in name for _, name in threads), "it is Airflow's own way"


async def test_airflow_starts_and_ends_a_task_in_such_a_thread(plane: Plane) -> None:
    agent, ti_id = plane.session(), plane.task_instance()
    start = {
        "state": "running",
        "hostname": "h",
        "unixname": "u",
        "pid": 1,
        "start_date": "2026-01-01T00:00:00Z",
    }
    asked: list[tuple[str, str, Any]] = [
        ("PATCH", "run", start),
        ("PUT", "rtif", {"bash_command": "true"}),
        ("PATCH", "state", {"state": "failed", "end_date": "2026-01-01T00:00:01Z"}),
    ]
    threads: set[str] = set()

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("UPDATE task_instance", "INSERT INTO rendered_task_instance_fields")):
            threads.add(threading.current_thread().name.rpartition("_")[0])

    event.listen(airflow_settings.engine, "before_cursor_execute", note)
    try:
        async with plane.http(agent, plane.attempt(agent, ti_id)) as http:
            for method, what, body in asked:
                threads.clear()
                said = await http.request(method, f"/task-instances/{ti_id}/{what}", json=body)
                assert said.is_success, said.text
                assert threads == {"tradewind-door"}, what
    finally:
        event.remove(airflow_settings.engine, "before_cursor_execute", note)


async def test_where_keys_are_fetched_airflow_answers_in_the_servers_loop(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def state(_: Request) -> JSONResponse:
        return JSONResponse({"thread": threading.current_thread().name})

    inner = Starlette(routes=[Route("/task-instances/{id}/state", state, methods=["PATCH"])])
    said = []
    for url in ("https://keys.example/jwks", ""):
        monkeypatch.setenv("AIRFLOW__API_AUTH__TRUSTED_JWKS_URL", url)
        through = Plane(Starlette(routes=[Mount("/execution", inner)]))
        agent = through.session()
        ti_id = through.task_instance("running")
        async with through.http(agent, through.attempt(agent, ti_id)) as http:
            answer = await http.patch(f"/task-instances/{ti_id}/state", json={"state": "failed"})
        said.append(answer.json()["thread"])
    assert said[0] == threading.current_thread().name and said[1].startswith("tradewind-door")


async def test_what_fails_in_that_thread_fails_as_it_does_elsewhere(plane: Plane) -> None:
    inner = FastAPI()

    @inner.patch("/task-instances/{ti_id}/state")
    def state(ti_id: str) -> None:
        raise OperationalError("select 1", {}, Exception("the database is away"))

    through = Plane(Starlette(routes=[Mount("/execution", inner)]))
    agent = through.session()
    ti_id = through.task_instance("running")
    async with through.http(agent, through.attempt(agent, ti_id)) as http:
        said = await http.patch(f"/task-instances/{ti_id}/state", json={"state": "failed"})
    assert said.status_code == 503
    assert "cannot serve this request just now" in said.text


@pytest.fixture
def collector() -> Iterator[None]:
    """The collector as it was, afterwards."""
    thresholds = gc.get_threshold()
    gc.unfreeze()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


async def comes_up() -> None:
    """A server behind the door says that it is ready."""

    async def server(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "lifespan.startup.complete"})

    async def nothing(*_: Any) -> Any:
        return {}

    await Door(server)({"type": "lifespan", "app": Starlette()}, nothing, nothing)


async def test_the_heap_is_frozen_once_the_server_is_up(collector: None) -> None:
    await comes_up()
    assert gc.get_freeze_count() > 10_000


@pytest.mark.parametrize(("before", "after"), [(700, GARBAGE), (GARBAGE + 1, GARBAGE + 1)])
async def test_the_collector_looks_less_often_once_the_server_is_up_and_never_more_often(
    collector: None, before: int, after: int
) -> None:
    gc.set_threshold(before, 9, 8)
    await comes_up()
    assert gc.get_threshold() == (after, 9, 8)
