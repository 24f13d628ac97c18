"""What Airflow sees of a request that the execution API proxy has passed on, and what comes back."""

from __future__ import annotations

import json
from uuid import uuid4

import httpx
import jwt
import pytest
from starlette.types import Receive, Scope, Send

from tradewind_protocol import paths, versions
from tradewind_provider.airflow.execution_api import ExecutionTokens
from tradewind_provider.api.agent_requests import AgentRequests
from tradewind_provider.composition import compose

from .conftest import Plane


class Behind:
    """Remembers what came through."""

    def __init__(self) -> None:
        self.scope: Scope = {}
        self.body = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        if scope["method"] != "GET":
            self.body = (await receive())["body"]
        headers = [(b"refreshed-api-token", b"jwt"), (b"set-cookie", b"a=b"), (b"x-kept", b"1")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})


async def test_airflow_sees_its_own_token_and_nothing_of_the_agents(database: None, secret: None) -> None:
    behind = Behind()
    plane = Plane(behind)
    session = plane.session()
    ti_id = plane.task_instance("running")
    async with plane.http(session, plane.attempt(session, ti_id), Cookie="_token=stolen") as client:
        answer = await client.put(f"/task-instances/{ti_id}/heartbeat?a=%2F", content=b"{}")
    headers = [(name.decode(), value.decode()) for name, value in behind.scope["headers"]]
    tokens = [value for name, value in headers if name == "authorization"]
    assert len(tokens) == 1
    claims = jwt.decode(tokens[0].removeprefix("Bearer "), options={"verify_signature": False})
    assert (claims["sub"], claims["scope"]) == (str(ti_id), "execution")
    assert claims["exp"] - claims["iat"] == 600  # it outlives minutes of waiting in a busy API server
    assert session not in repr(headers)
    assert not [name for name, _ in headers if name == "cookie"]
    assert behind.scope["path"] == f"/execution/task-instances/{ti_id}/heartbeat"
    assert behind.scope["query_string"] == b"a=%2F"
    assert list(json.loads(behind.body)) == ["hostname"]
    assert "refreshed-api-token" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert answer.headers["x-kept"] == "1"


@pytest.mark.parametrize(("root", "path"), [("/team", "/team"), ("/team", ""), ("", "")])
async def test_a_deployment_below_a_prefix_is_found(
    database: None, secret: None, root: str, path: str
) -> None:
    behind = Behind()
    plane = Plane(behind)
    session = plane.session()
    transport = httpx.ASGITransport(plane.middleware, root_path=root)
    headers = {
        "Authorization": f"Bearer {session}",
        paths.ATTEMPT_HEADER: plane.attempt(session, plane.task_instance()),
    }
    async with httpx.AsyncClient(transport=transport, base_url="http://plane", headers=headers) as client:
        answer = await client.get(path + paths.PREFIX + "/execution/task-instances/count")
    assert answer.status_code == 200, answer.text
    assert behind.scope["path"] == path + "/execution/task-instances/count"


@pytest.mark.parametrize("path", ["/api/v2/dags", "/remote-executionx", "/execution/variables/a", "/"])
async def test_what_is_not_an_agents_passes_untouched(path: str) -> None:
    behind = Behind()
    middleware = AgentRequests(behind, plane=compose())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(middleware), base_url="http://plane"
    ) as client:
        answer = await client.get(path, headers={"Authorization": "Bearer person", "Cookie": "a=b"})
    assert behind.scope["path"] == path
    assert "bearer person" in repr(behind.scope["headers"]).lower()
    assert "set-cookie" in answer.headers
    assert versions.HEADER not in answer.headers


def test_a_token_is_used_again_only_while_airflow_would_not_renew_it(secret: None) -> None:
    moment = [0.0]
    tokens = ExecutionTokens(clock=lambda: moment[0])
    subject = uuid4()
    first = tokens.mint(subject, workload=False)
    moment[0] = 19.9
    assert tokens.mint(subject, workload=False) == first
    assert tokens.mint(subject, workload=True) != first
    assert tokens.mint(uuid4(), workload=False) != first
    moment[0] = 20.0
    assert tokens.mint(subject, workload=False) != first


async def test_a_version_too_far_away_is_told_which_side_to_upgrade(plane: Plane) -> None:
    session = plane.session()
    headers = {versions.HEADER: "9.0"}
    async with plane.http(session, plane.attempt(session, plane.task_instance()), **headers) as client:
        answer = await client.get("/task-instances/count?dag_id=etl")
    assert answer.status_code == 426
    assert "upgrade the orchestration plane" in answer.json()["message"]


async def test_a_request_that_airflow_leaves_unanswered_is_answered(plane: Plane) -> None:
    """An XCom of a task instance that is not there breaks a foreign key as the answer is made."""
    session = plane.session()
    task_instance = plane.task_instance("running")
    header = plane.attempt(session, task_instance)
    run_id = plane.ti(task_instance).run_id
    async with plane.http(session, header) as client:
        answer = await client.post(f"/xcoms/etl/{run_id}/no_task/k", json="s3://b/k")
    assert (answer.status_code, answer.json()["error"]) == (500, "internal")
