"""A good session that tries to get past the proxy: paths, headers, old epochs, other agents' attempts."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from tradewind_protocol import paths, versions

from .conftest import Plane

EXECUTION = paths.PREFIX + paths.EXECUTION


async def raw(
    plane: Plane,
    path: str,
    headers: list[tuple[str, str]],
    *,
    method: str = "GET",
    raw_path: str | None = None,
) -> int:
    """One request as a server would hand it on, with exactly this path and these headers. Its status."""
    status: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": (raw_path or path).encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("plane", 80),
    }
    await plane.middleware(scope, receive, send)
    return status[0]


def credentials(session: str, attempt: str) -> list[tuple[str, str]]:
    return [
        ("authorization", f"Bearer {session}"),
        (versions.HEADER, str(versions.PROTOCOL)),
        (paths.ATTEMPT_HEADER, attempt),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/../../api/v2/connections",
        "/../../../execution/connections/x",
        "//connections/x/../../variables/keys",
        "/task-instances/../connections/x",
        "/./health",
        "/task-instances/{mine}/../{other}/heartbeat",
        "/task-instances/{other}/heartbeat/",
        "//task-instances/{other}/heartbeat",
        "/task-instances/{other}//heartbeat",
        "/task-instances/{mine}/heartbeat/../../{other}/state",
        "/task-instances/{other}/state\x00",
        "/task-instances/{other}\n/state",
        "/TASK-INSTANCES/{other}/state",
        "/xcoms/etl/run/../../../connections/x",
        "/docs",
        "/openapi.json",
        "/redoc",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST", "TRACE", "CONNECT", "get"])
async def test_no_path_leads_past_the_door(plane: Plane, path: str, method: str) -> None:
    session = plane.session(policy="strict")
    mine, other = plane.task_instance("running"), plane.task_instance("running")
    attempt = plane.attempt(session, mine)
    asked = EXECUTION + path.format(mine=mine, other=other)
    status = await raw(plane, asked, credentials(session, attempt), method=method)
    assert 400 <= status < 500, (asked, status)
    assert plane.ti(other).state == "running"


async def test_a_raw_path_that_says_something_else_is_not_believed(plane: Plane) -> None:
    session = plane.session(policy="strict")
    mine, other = plane.task_instance("running"), plane.task_instance("running")
    attempt = plane.attempt(session, mine)
    path = f"{EXECUTION}/task-instances/{mine}/rendered-map-index"
    lie = f"{EXECUTION}/task-instances/{other}/state"
    await raw(plane, path, credentials(session, attempt), method="PATCH", raw_path=lie)
    assert plane.ti(other).state == "running"


@pytest.mark.parametrize(
    "second",
    ["worker", "triggerer", "dag_processor", "{theirs}", "{theirs}, {mine}", ""],
)
@pytest.mark.parametrize("first", [True, False], ids=["after", "before"])
async def test_a_second_attempt_header_changes_nothing(plane: Plane, second: str, first: bool) -> None:
    mine_session, their_session = plane.session(), plane.session()
    mine, theirs = plane.task_instance("running"), plane.task_instance("running")
    attempt, their_attempt = plane.attempt(mine_session, mine), plane.attempt(their_session, theirs)
    headers = credentials(mine_session, attempt)
    more = (paths.ATTEMPT_HEADER, second.format(mine=attempt, theirs=their_attempt))
    headers = [*headers, more] if first else [more, *headers]
    status = await raw(plane, f"{EXECUTION}/task-instances/{theirs}/heartbeat", headers, method="PUT")
    assert 400 <= status < 500
    assert plane.ti(theirs).hostname == ""


@pytest.mark.parametrize(
    "header",
    [
        "{id}:0",
        "{id}:-3",
        "{id}:2",
        "{id}:4",
        "{id}:03 ",
        "{id}:٣",
        "{id}",
        "{id}:3:3",
        "{{{id}}}:3x",
        ":3",
        "task:3",
        "worker",
        "x" * 100_000,
    ],
)
async def test_no_other_epoch_and_no_other_form_speaks_for_an_attempt(plane: Plane, header: str) -> None:
    session = plane.session()
    ti_id = plane.task_instance("running")
    attempt = plane.attempt(session, ti_id)
    assert attempt.endswith(":3")
    said = header.format(id=attempt.removesuffix(":3"))
    headers = [
        *credentials(session, "")[:2],
        (paths.ATTEMPT_HEADER, said.encode("utf-8").decode("latin-1")),
    ]
    status = await raw(plane, f"{EXECUTION}/task-instances/count", headers)
    assert 400 <= status < 500, said[:60]


async def test_an_attempt_nobody_made_and_a_made_up_session_open_nothing(plane: Plane) -> None:
    session = plane.session()
    headers = credentials(session, f"{uuid4()}:1")
    assert await raw(plane, f"{EXECUTION}/task-instances/count", headers) == 404
    headers = credentials("tw_session_" + "x" * 43, f"{uuid4()}:1")
    assert await raw(plane, f"{EXECUTION}/task-instances/count", headers) == 401
