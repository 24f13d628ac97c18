"""What an agent reaches of Airflow's Execution API through the proxy, and what it does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pytest
from airflow.models.connection_test import ConnectionTestRequest
from airflow.models.hitl import HITLDetail
from airflow.models.trigger import Trigger
from airflow.sdk.execution_time.comms import DeferTask
from airflow.utils.log.file_task_handler import FileTaskHandler, LogType
from fastapi import FastAPI
from sqlalchemy import update

from tradewind_protocol import hostnames, paths, versions
from tradewind_provider import notifications
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import session_authentication, triggers
from tradewind_provider.store.tables import Attempt

from .conftest import Plane, with_and_without_shortcuts

NOW = datetime.now(timezone.utc)


@with_and_without_shortcuts
async def test_a_task_runs_from_start_to_end_with_airflows_own_client(plane: Plane) -> None:
    session = plane.session()
    ti_id = plane.task_instance()
    client = plane.sdk(session, plane.attempt(session, ti_id))
    run_id = plane.ti(ti_id).run_id

    def run() -> None:
        context = client.task_instances.start(ti_id, 17, NOW)
        assert context.dag_run.dag_id == "etl"
        client.task_instances.heartbeat(ti_id, 17)
        client.task_instances.set_rtif(ti_id, {"bash_command": "echo"})
        client.xcoms.set("etl", run_id, "extract", "return_value", "s3://bucket/key")
        assert client.xcoms.get("etl", run_id, "extract", "return_value").value == "s3://bucket/key"
        assert client.xcoms.head("etl", run_id, "extract", "return_value").len == 1
        client.task_state_store.set(ti_id, "cursor", 5, None)
        assert client.task_state_store.get(ti_id, "cursor").value == 5
        client.task_instances.skip_downstream_tasks(ti_id, _Skip())
        client.task_instances.succeed(ti_id, NOW, [], [], None)

    await asyncio.to_thread(run)
    row = plane.ti(ti_id)
    assert (row.state, row.pid) == ("success", 17)


class _Skip:
    tasks = ["load"]


@with_and_without_shortcuts
async def test_a_task_that_defers_wakes_those_who_run_triggers(plane: Plane) -> None:
    session = plane.session()
    ti_id = plane.task_instance("running")
    client = plane.sdk(session, plane.attempt(session, ti_id))
    message = DeferTask(
        classpath="x.Trigger", trigger_kwargs={}, next_method="execute_complete", next_kwargs={}
    )
    hub = notifications.Hub()
    async with hub.receiving():
        with hub.subscribe(notifications.TRIGGERS) as news:
            news.clear()
            await asyncio.to_thread(client.task_instances.defer, ti_id, message)
            assert await news.wait(5)
    assert plane.ti(ti_id).state == "deferred"


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("eu-1", "169.254.169.254:80/latest/meta-data?"),
        ("169.254.169.254:80/latest", "h"),
        ("x@169.254.169.254:80", "h"),
        ("localhost", "h"),
    ],
)
async def test_no_reader_of_logs_connects_to_where_an_agent_points(
    plane: Plane, name: str, sent: str
) -> None:
    session = plane.session(name=name)
    ti_id = plane.task_instance("queued")
    attempt = plane.attempt(session, ti_id)
    start = {"state": "running", "hostname": sent, "unixname": "u", "pid": 7, "start_date": NOW.isoformat()}
    async with plane.http(session, attempt) as client:
        answer = await client.patch(f"/task-instances/{ti_id}/run", json=start)
        assert answer.status_code == 200, answer.text
        answer = await client.put(f"/task-instances/{ti_id}/heartbeat", json={"hostname": "z", "pid": 7})
        assert answer.status_code == 204, "the same attempt has the same name"
        answer = await client.put(f"/task-instances/{ti_id}/heartbeat", content=b"[]")
        assert (answer.status_code, answer.json()["error"]) == (422, "malformed")
    row = plane.ti(ti_id)
    for kind in LogType:
        job = SimpleNamespace(hostname=hostnames.of_triggerer(name), id=1)
        ti = SimpleNamespace(hostname=row.hostname, triggerer_job=job)
        url, _ = FileTaskHandler("")._get_log_retrieval_url(ti, "d/r/t.log", log_type=kind)
        assert str(urlsplit(url).hostname).endswith(".invalid")
    assert hostnames.agent_of_attempt(row.hostname) == name


@pytest.mark.parametrize(
    ("how", "status", "code"),
    [
        ("fenced", 409, "session_fenced"),
        ("lost", 401, "session_expired"),
        ("token_deleted", 403, "token_deleted"),
    ],
)
async def test_an_ended_session_reaches_nothing_any_more(
    plane: Plane, how: str, status: int, code: str
) -> None:
    session = plane.session()
    ti_id = plane.task_instance()
    async with plane.http(session, plane.attempt(session, ti_id)) as client:
        assert (await client.get("/task-instances/count?dag_id=etl")).status_code == 200
        plane.ends(session, how)
        answer = await client.get("/task-instances/count?dag_id=etl")
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer.json()["detail"]["reason"] == code
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers[versions.HEADER] == str(versions.PROTOCOL)


@with_and_without_shortcuts
async def test_an_old_epoch_is_told_so_in_the_way_that_stops_a_task(plane: Plane) -> None:
    session = plane.session()
    ti_id = plane.task_instance("running")
    old = plane.attempt(session, ti_id).replace(":3", ":2")
    async with plane.http(session, old) as client:
        answer = await client.put(f"/task-instances/{ti_id}/heartbeat", json={"hostname": "h", "pid": 1})
    assert answer.status_code == 409, "the supervisor ends its task on 404, 409 and 410 only"
    assert answer.json()["error"] == "lease_lost"


@pytest.mark.parametrize("state", ["queued", "offered", "finished", "revoked"])
async def test_only_a_granted_attempt_speaks(plane: Plane, state: str) -> None:
    session = plane.session()
    ti_id = plane.task_instance()
    async with plane.http(session, plane.attempt(session, ti_id, state=state)) as client:
        answer = await client.get("/task-instances/count?dag_id=etl")
    assert answer.status_code in (403, 404, 409)


RUN = {"state": "running", "hostname": "h", "unixname": "u", "pid": 1, "start_date": NOW.isoformat()}


@with_and_without_shortcuts
async def test_asking_to_run_a_task_grants_its_offer(plane: Plane) -> None:
    session = plane.session()
    ti_id = plane.task_instance()
    offer = plane.attempt(session, ti_id, state="offered")
    async with plane.http(session, offer) as client:
        assert (await client.patch(f"/task-instances/{ti_id}/run", json=RUN)).status_code == 200
        assert (await client.get("/task-instances/count?dag_id=etl")).status_code == 200
    assert plane.ti(ti_id).state == "running"
    assert plane.attempt_row(offer).state == "running"


@with_and_without_shortcuts
async def test_asking_to_run_another_task_grants_nothing(plane: Plane) -> None:
    session = plane.session()
    mine, other = plane.task_instance(), plane.task_instance()
    offer = plane.attempt(session, mine, state="offered")
    async with plane.http(session, offer) as client:
        answer = await client.patch(f"/task-instances/{other}/run", json=RUN)
    assert answer.json()["error"] == "attempt_not_yours"
    assert plane.attempt_row(offer).state == "offered"
    assert plane.ti(other).state == "queued"


@pytest.mark.parametrize("state", ["queued", "finished", "revoked"])
async def test_a_task_whose_offer_is_gone_does_not_run(plane: Plane, state: str) -> None:
    session = plane.session()
    ti_id = plane.task_instance()
    async with plane.http(session, plane.attempt(session, ti_id, state=state)) as client:
        answer = await client.patch(f"/task-instances/{ti_id}/run", json=RUN)
    assert (answer.status_code, answer.json()["error"]) == (409, "lease_lost")
    assert plane.ti(ti_id).state == "queued"


async def test_the_attempt_of_another_session_is_not_spoken_for(plane: Plane) -> None:
    mine, theirs = plane.session(), plane.session()
    attempt = plane.attempt(theirs, plane.task_instance())
    async with plane.http(mine, attempt) as client:
        answer = await client.get("/task-instances/count?dag_id=etl")
    assert answer.status_code in (403, 409)
    assert answer.json()["error"] in ("attempt_not_yours", "lease_lost")


@with_and_without_shortcuts
async def test_another_task_instance_is_out_of_reach(plane: Plane) -> None:
    session = plane.session()
    mine, other = plane.task_instance("running"), plane.task_instance("running")
    async with plane.http(session, plane.attempt(session, mine)) as client:
        for method, path, body in (
            ("PATCH", f"/task-instances/{other}/state", {"state": "failed", "end_date": NOW.isoformat()}),
            ("PUT", f"/task-instances/{other}/heartbeat", {"hostname": "h", "pid": 1}),
            ("GET", f"/store/ti/{other}/cursor", None),
            ("POST", f"/hitlDetails/{other}", {}),
        ):
            answer = await client.request(method, path, json=body)
            assert (answer.status_code, answer.json()["error"]) == (403, "attempt_not_yours"), path
    assert plane.ti(other).state == "running"


async def test_what_a_finished_attempt_held_is_closed_within_two_seconds(plane: Plane) -> None:
    session = plane.session()
    attempt = plane.attempt(session, plane.task_instance())
    async with plane.http(session, attempt) as client:
        assert (await client.get("/task-instances/count?dag_id=etl")).status_code == 200
        with create_session() as db:
            db.execute(update(Attempt).where(Attempt.id == UUID(attempt[:-2])).values(state="finished"))
        plane.clock.at = 1.9
        assert (await client.get("/task-instances/count?dag_id=etl")).status_code == 200
        plane.clock.at = 2.0
        assert (await client.get("/task-instances/count?dag_id=etl")).status_code != 200


@pytest.mark.parametrize(
    "requester", [None, "", "worker", "somebody", "not-an-id:3", f"{uuid4()}:x", f"{uuid4()}:-1"]
)
async def test_a_request_has_to_say_for_whom_it_is(plane: Plane, requester: str | None) -> None:
    async with plane.http(plane.session(), requester) as client:
        answer = await client.get("/task-instances/count?dag_id=etl")
    assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


@with_and_without_shortcuts
async def test_a_strict_site_is_held_to_it_by_the_plane_as_well(plane: Plane) -> None:
    session = plane.session(policy="strict")
    ti_id = plane.task_instance("running")
    run_id = plane.ti(ti_id).run_id
    async with plane.http(session, plane.attempt(session, ti_id)) as client:
        raw = await client.post(f"/xcoms/etl/{run_id}/extract/k", json={"raw": "value"})
        assert (raw.status_code, raw.json()["error"]) == (403, "policy_refused")
        assert (await client.get(f"/xcoms/etl/{run_id}/extract/k")).status_code == 404
        reference = await client.post(f"/xcoms/etl/{run_id}/extract/k", json="s3://bucket/key")
        assert reference.status_code == 201
        await client.put(f"/task-instances/{ti_id}/rtif", json={"sql": "select 1"})
        assert (await client.get("/connections/any")).json()["detail"]["reason"] == "not_found"
    from airflow.models.renderedtifields import RenderedTaskInstanceFields

    with create_session() as db:
        fields = db.query(RenderedTaskInstanceFields).filter_by(run_id=run_id).one().rendered_fields
    assert fields == {"sql": "kept at the site (data policy: strict)"}


@with_and_without_shortcuts
async def test_a_component_reads_what_it_needs_and_no_more(plane: Plane) -> None:
    session = plane.session(components=("dag_processor",))
    async with plane.http(session, "dag_processor") as client:
        assert (await client.get("/dag-runs/count?dag_id=unheard_of")).json() == 0
        assert (await client.get("/variables/nothing")).status_code == 404
        refused = await client.post("/xcoms/etl/r/t/k", json=None)
        assert (refused.status_code, refused.json()["error"]) == (403, "not_permitted")
    async with plane.http(session, "triggerer") as client:
        answer = await client.get("/variables/nothing")
        assert (answer.status_code, answer.json()["error"]) == (403, "component_not_yours")


async def test_a_triggerer_answers_for_task_instances_that_wait_for_its_triggers(plane: Plane) -> None:
    session = plane.session(components=("triggerer",))
    mine, other = plane.task_instance("deferred"), plane.task_instance("deferred")
    with create_session() as db:
        agent = _agent(db, session)
        job = triggers.job_of(db, agent, now=NOW)
        trigger = Trigger(classpath="x", kwargs={})
        trigger.triggerer_id = job
        db.add(trigger)
        db.flush()
        from airflow.models.taskinstance import TaskInstance

        db.execute(update(TaskInstance).where(TaskInstance.id == mine).values(trigger_id=trigger.id))
        for ti_id in (mine, other):
            db.add(HITLDetail(ti_id=ti_id, options=["yes"], subject="Go on?", params={}, assignees=[]))
    async with plane.http(session, "triggerer") as client:
        answer = await client.get(f"/hitlDetails/{mine}")
        assert answer.status_code == 200, answer.text
        refused = await client.get(f"/hitlDetails/{other}")
        assert (refused.status_code, refused.json()["error"]) == (403, "trigger_not_yours")


def _agent(db: Any, token: str) -> Any:

    return session_authentication.authenticate(db, token, datetime.now(timezone.utc))


@with_and_without_shortcuts
async def test_a_connection_test_fetches_its_connection_and_reports(plane: Plane) -> None:
    session = plane.session(policy="strict")
    test_id = uuid4()
    with create_session() as db:
        test = ConnectionTestRequest(connection_id="warehouse", conn_type="http", host="db.example")
        test.id = test_id
        test.state = "queued"
        db.add(test)
    attempt = plane.attempt(session, test_id, kind="connection_test")
    async with plane.http(session, attempt) as client:
        answer = await client.get(f"/connection-tests/{test_id}/connection")
        assert answer.status_code == 200, answer.text
        assert answer.json()["host"] == "db.example"
        other = await client.get(f"/connection-tests/{uuid4()}/connection")
        assert other.json()["error"] == "attempt_not_yours"
        assert (await client.get("/variables/a")).json()["error"] == "not_permitted"
        report = await client.patch(
            f"/connection-tests/{test_id}", json={"state": "success", "result_message": "ok"}
        )
        assert report.status_code == 204, report.text


async def test_unknown_routes_and_paths_with_two_meanings_stop_at_the_door(plane: Plane) -> None:
    strict = plane.session(policy="strict")
    async with plane.http(strict, plane.attempt(strict, plane.task_instance())) as client:
        for path in ("/openapi.json", "/docs", "/new/route", "/task-instances/count/"):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["error"]) == (403, "policy_refused"), path
        answer = await client.get("/xcoms/a/b/c/%2e%2e")
        assert (answer.status_code, answer.json()["error"]) == (422, "malformed")


async def test_bodies_are_limited_whether_or_not_they_say_how_long_they_are(airflow: FastAPI) -> None:
    plane = Plane(airflow, largest=1000)
    session = plane.session()

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100

    async with plane.http(session, plane.attempt(session, plane.task_instance())) as client:
        for content in (b"x" * 1001, chunks()):
            answer = await client.post("/xcoms/etl/r/t/k", content=content)
            assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
        for path in ("/poll", "/attempts/finish", "/dags/report"):
            answer = await client.post("http://plane" + paths.PREFIX + path, content=b"x" * 1001)
            assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
