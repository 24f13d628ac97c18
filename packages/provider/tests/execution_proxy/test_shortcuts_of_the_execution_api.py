"""Requests that take a shortcut to Airflow's Execution API are answered as those that take none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import anyio.to_thread
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

from tradewind_provider.shortcuts.single_thread import ENDPOINTS, THREADS

from .conftest import Plane

bound_to_this_request: ContextVar[str] = ContextVar("bound_to_this_request")
ONE_THREAD = frozenset({"single-thread"})


def execution_api() -> FastAPI:
    """An application with those endpoints of Airflow's that are answered in one thread. Routes added later come after
    those added before."""
    app = FastAPI()
    for method, path in ENDPOINTS:
        parts = [f"{{p{at}}}" if part == "x" else part for at, part in enumerate(path.split("/"))]

        @app.api_route("/".join(parts), methods=[method])
        def nothing() -> dict[str, str]:
            return {}

    return app


class Noting:
    """A middleware that notes what passes it."""

    def __init__(self, app: ASGIApp, passed: list[str]) -> None:
        self._app, self._passed = app, passed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._passed.append(scope["path"])
        await self._app(scope, receive, send)


async def test_airflow_answers_with_shortcuts_as_without(airflow: FastAPI, plane: Plane) -> None:
    assert plane.switch.states == {"direct-dispatch": "", "single-thread": ""}
    without = await Plane(airflow).started(frozenset())
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

    async def answers(of: Plane) -> list[tuple[int, dict[str, str], bytes]]:
        found = []
        async with of.http(session, attempt) as http:
            for method, path, body, headers in asked:
                said = await http.request(method, path, json=body, headers=headers)
                headers = {name: value for name, value in said.headers.items() if name not in how_it_is_sent}
                found.append((said.status_code, headers, said.content))
        return found

    # a middleware that streams answers makes even the smallest be compressed
    how_it_is_sent = {"content-length", "content-encoding", "vary"}

    found = [await answers(plane), await answers(plane)]  # the second time the token was verified before
    assert found == [await answers(without)] * 2
    assert len({status for status, _, _ in found[0]}) > 1


async def test_an_execution_api_with_other_middlewares_than_those_known_keeps_them(database: None) -> None:
    passed: list[str] = []
    health = Route("/health", lambda _: JSONResponse({}))
    inner = Starlette(routes=[health], middleware=[Middleware(Noting, passed=passed)])
    through = await Plane(FastAPI(routes=[Mount("/execution", inner)])).started()
    assert "Noting is among the Execution API's middlewares" in through.switch.states["direct-dispatch"]
    assert passed == ["/execution/health"]
    agent = through.session()
    async with through.http(agent, through.attempt(agent, through.task_instance())) as http:
        await http.get("/task-instances/count")
    assert passed == ["/execution/health", "/execution/task-instances/count"]


async def test_a_server_without_an_execution_api_uses_none_of_them(database: None) -> None:
    through = await Plane(FastAPI()).started()
    assert set(through.switch.states.values()) == {"this API server serves no Execution API"}


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

    inner.include_router(execution_api().router)

    def page(_: Request) -> JSONResponse:
        others_are_served.set()
        return JSONResponse({})

    handed_over = anyio.to_thread.run_sync
    through = await Plane(Starlette(routes=[Mount("/execution", inner), Route("/page", page)])).started(
        ONE_THREAD
    )
    assert through.switch.states["single-thread"] == ""
    assert anyio.to_thread.run_sync is handed_over
    agent = through.session()
    ti_id = through.task_instance()
    bound_to_this_request.set("to the request")
    async with through.http(agent, through.attempt(agent, ti_id)) as http:
        running = asyncio.create_task(http.patch(f"/task-instances/{ti_id}/run", json={}))
        await runs.wait()
        assert (await http.get("http://plane/page")).status_code == 200
        assert (await running).json() == {"noted": "to the request"}
        assert [what for what, _ in threads] == ["session", "run", "closed"]
        assert {name.rpartition("_")[0] for _, name in threads} == {THREADS}
        assert len({name for _, name in threads}) == 1
        threads.clear()
        await http.get(f"/task-instances/{ti_id}/previous-successful-dagrun")
        assert threads and not any(THREADS in name for _, name in threads), "it is Airflow's own way"


async def test_airflow_starts_and_ends_a_task_in_such_a_thread(plane: Plane) -> None:
    agent, ti_id = plane.session(), plane.task_instance()
    of_task, run_id = f"/task-instances/{ti_id}", plane.ti(ti_id).run_id
    start = {
        "state": "running",
        "hostname": "h",
        "unixname": "u",
        "pid": 1,
        "start_date": "2026-01-01T00:00:00Z",
    }
    asked: list[tuple[str, str, Any]] = [
        ("PATCH", f"{of_task}/run", start),
        ("PUT", f"{of_task}/rtif", {"bash_command": "true"}),
        ("POST", f"/xcoms/etl/{run_id}/extract/return_value", "a value"),
        ("PATCH", f"{of_task}/state", {"state": "failed", "end_date": "2026-01-01T00:00:01Z"}),
    ]
    threads: set[str] = set()

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith(("UPDATE task_instance", "INSERT INTO rendered_task_", "INSERT INTO xcom")):
            threads.add(threading.current_thread().name.rpartition("_")[0])

    event.listen(airflow_settings.engine, "before_cursor_execute", note)
    try:
        async with plane.http(agent, plane.attempt(agent, ti_id)) as http:
            for method, path, body in asked:
                threads.clear()
                said = await http.request(method, path, json=body)
                assert said.is_success, said.text
                assert threads == {THREADS}, path
    finally:
        event.remove(airflow_settings.engine, "before_cursor_execute", note)


async def test_where_keys_are_fetched_airflow_answers_in_the_servers_loop(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API_AUTH__TRUSTED_JWKS_URL", "https://keys.example/jwks")
    await plane.started()
    assert "trusted_jwks_url is set" in plane.switch.states["single-thread"]


async def test_a_function_that_has_become_asynchronous_keeps_the_servers_loop(database: None) -> None:
    inner = FastAPI()

    @inner.put("/task-instances/{ti_id}/rtif")
    async def rtif(ti_id: str) -> dict[str, str]:
        return {"thread": threading.current_thread().name}

    inner.include_router(execution_api().router)
    through = await Plane(FastAPI(routes=[Mount("/execution", inner)])).started(ONE_THREAD)
    why = "PUT /task-instances/x/rtif is answered by an asynchronous function"
    assert through.switch.states["single-thread"] == why
    agent, ti_id = through.session(), through.task_instance("running")
    async with through.http(agent, through.attempt(agent, ti_id)) as http:
        answer = await http.put(f"/task-instances/{ti_id}/rtif", json={})
    assert answer.json() == {"thread": threading.current_thread().name}


async def test_an_execution_api_without_such_an_endpoint_keeps_the_servers_loop(database: None) -> None:
    through = await Plane(FastAPI(routes=[Mount("/execution", FastAPI())])).started(ONE_THREAD)
    assert through.switch.states["single-thread"] == "the Execution API has no PATCH /task-instances/x/run"


async def test_what_fails_in_that_thread_fails_as_it_does_elsewhere(plane: Plane) -> None:
    inner = FastAPI()

    @inner.patch("/task-instances/{ti_id}/state")
    def state(ti_id: str) -> None:
        raise OperationalError("select 1", {}, Exception("the database is away"))

    inner.include_router(execution_api().router)
    through = await Plane(Starlette(routes=[Mount("/execution", inner)])).started(ONE_THREAD)
    assert through.switch.states["single-thread"] == ""
    agent = through.session()
    ti_id = through.task_instance("running")
    async with through.http(agent, through.attempt(agent, ti_id)) as http:
        said = await http.patch(f"/task-instances/{ti_id}/state", json={"state": "failed"})
    assert said.status_code == 503
    assert "cannot serve this request just now" in said.text
