"""The gateway as hosts and supervisors meet it: HTTP on a unix socket, in front of the real plane client."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from gateway_kit import SESSION, TI, LittlePlane, Site, a_site

from tradewind_agent.access.local_secrets import AttemptPrincipal, LocalSecrets
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.gateway.app import Gateway
from tradewind_agent.gateway.ledger import Ledger
from tradewind_agent.gateway.policy import from_settings
from tradewind_agent.rules import parse
from tradewind_agent.settings import SealSettings
from tradewind_agent.state.key_ring import KeyRing
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary import OwnRun, Rules, StartedBy
from tradewind_protocol.sessions import Policy
from tradewind_protocol.states import Component


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with a_site(tmp_path, LittlePlane()) as made:
        yield made


async def test_a_request_goes_to_the_plane_under_the_session_and_nothing_else_does(site: Site) -> None:
    headers = {**site.attempt(), "Cookie": "a=b", "airflow-api-version": "2026-06-30", "correlation-id": "c1"}
    answer = await site.client.get("/execution/xcoms/d/run:1%2F2/t/k%20k?map_index=3&x=%26", headers=headers)
    assert answer.json() == {"key": "k", "value": 1}
    (seen,) = site.plane.seen
    assert (
        seen.url.raw_path
        == b"/some/prefix/remote-execution/v1/execution/xcoms/d/run:1%2F2/t/k%20k?map_index=3&x=%26"
    )
    assert seen.headers["authorization"] == f"Bearer {SESSION}"
    assert seen.headers["tradewind-attempt"].endswith(":2")
    assert seen.headers["airflow-api-version"] == "2026-06-30"
    assert "cookie" not in seen.headers
    assert "tw_local_" not in repr(seen.headers.raw)


async def test_a_token_of_airflow_never_comes_back(site: Site) -> None:
    site.plane.answer = httpx.Response(
        200, json={}, headers={"Refreshed-API-Token": "jwt", "Set-Cookie": "s=1", "correlation-id": "c1"}
    )
    answer = await site.client.get("/execution/xcoms/d/r/t/k", headers=site.attempt())
    assert "refreshed-api-token" not in answer.headers
    assert "set-cookie" not in answer.headers
    assert answer.headers["correlation-id"] == "c1"


async def test_the_count_of_mapped_xcoms_comes_back_in_its_header(site: Site) -> None:
    site.plane.answer = httpx.Response(200, headers={"Content-Range": "map_indexes 17"})
    answer = await site.client.head("/execution/xcoms/d/r/t/k", headers=site.attempt())
    assert answer.headers["content-range"] == "map_indexes 17"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "token_missing"),
        ({"Authorization": "Bearer tw_local_unknown"}, "token_unknown"),
        ({"Authorization": "Basic abc"}, "token_missing"),
    ],
)
async def test_nobody_asks_without_a_live_secret(site: Site, headers: dict[str, str], code: str) -> None:
    answer = await site.client.get("/execution/xcoms/d/r/t/k", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == code
    assert answer.headers["content-type"] == "application/json", "the Task SDK reads errors of no other type"
    assert site.plane.seen == []


async def test_a_revoked_secret_opens_nothing(site: Site) -> None:
    headers = site.attempt()
    site.secrets.revoke(headers["Authorization"].removeprefix("Bearer "))
    assert (await site.client.get("/execution/xcoms/d/r/t/k", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("PATCH", f"/execution/task-instances/{uuid4()}/state", "attempt_not_yours"),
        ("GET", f"/execution/connection-tests/{TI}/connection", "not_permitted"),
        ("POST", "/dags/report", "not_permitted"),
        ("POST", "/triggers/sync", "not_permitted"),
        ("POST", "/execution/unheard-of", "policy_refused"),
        ("GET", "/execution/xcoms/d/r/t/%2e%2e/%2e%2e/connections", "malformed"),
    ],
)
async def test_an_attempt_reaches_only_what_is_its_own(site: Site, method: str, path: str, code: str) -> None:
    answer = await site.client.request(method, path, headers=site.attempt(), content=b"{}")
    assert answer.status_code == (422 if code == "malformed" else 403)
    assert answer.json()["error"] == code
    assert site.plane.seen == []


async def test_a_path_that_is_nowhere_is_answered_in_json(site: Site) -> None:
    answer = await site.client.get("/poll", headers=site.attempt())
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


async def test_a_host_speaks_its_own_verbs_as_its_component(site: Site) -> None:
    site.plane.answer = httpx.Response(200, json={"said": True}, headers={"Tradewind-Note": "n"})
    headers = {**site.host(Component.TRIGGERER), "content-type": "application/json"}
    answer = await site.client.post("/triggers/sync?since=1", headers=headers, content=b'{"running": []}')
    assert answer.json() == {"said": True}
    assert answer.headers["tradewind-note"] == "n"
    (seen,) = site.plane.seen
    assert seen.url.path == "/some/prefix/remote-execution/v1/triggers/sync"
    assert seen.headers["tradewind-attempt"] == "triggerer"
    other = await site.client.post("/dags/report", headers=site.host(Component.TRIGGERER))
    assert other.json()["error"] == "not_permitted"


async def test_a_value_stays_and_the_task_is_told_why(site: Site) -> None:
    answer = await site.client.post(
        "/execution/xcoms/d/r/t/return_value", headers=site.attempt(), json={"patient": "Ada"}
    )
    assert answer.status_code == 403
    assert "SiteXComBackend" in answer.json()["detail"]["remedy"]
    assert site.plane.seen == []
    assert "Ada" not in (site.path.parent / "ledger" / "ledger.jsonl").read_text()


async def test_rendered_fields_leave_as_a_notice(site: Site) -> None:
    await site.client.put(
        f"/execution/task-instances/{TI}/rtif", headers=site.attempt(), json={"sql": "select secrets"}
    )
    assert json.loads(site.plane.seen[0].content) == {"sql": "kept at the site (data policy: strict)"}


async def test_a_deployment_that_wants_strict_gets_strict(tmp_path: Path) -> None:
    async with a_site(tmp_path, LittlePlane(policy=Policy.STRICT), from_settings(Policy.OPEN)) as site:
        answer = await site.client.post("/execution/xcoms/d/r/t/k", headers=site.attempt(), json=[1])
        assert answer.status_code == 403


async def test_open_lets_values_pass(tmp_path: Path) -> None:
    async with a_site(tmp_path, LittlePlane(), from_settings(Policy.STRICT, {"xcom": Policy.OPEN})) as site:
        answer = await site.client.post("/execution/xcoms/d/r/t/k", headers=site.attempt(), json=[1])
        assert answer.status_code == 200
        assert site.plane.seen[0].content == b"[1]"
        assert [line.get("carries") for line in site.ledger.read()][-1] == ["xcom k"]


REPORT = {
    "instance": str(uuid4()),
    "bundle": "main",
    "files": [
        {
            "path": "etl.py",
            "content": "ab",
            "dags": [{"__version": 3, "dag": {"dag_id": "etl", "description": "SECRET", "tasks": []}}],
            "import_errors": {"etl.py": 'File "/main/etl.py", line 1\n    x = "SECRET"\nSyntaxError: no'},
            "source": {"etl.py": "SECRET"},
        }
    ],
}


async def test_a_report_of_dags_leaves_without_its_authors_text_whatever_the_runtime_sent(site: Site) -> None:
    await site.client.post("/dags/report", headers=site.host(Component.DAG_PROCESSOR), json=REPORT)
    [request] = site.plane.seen
    assert b"SECRET" not in request.content
    sent = json.loads(request.content)["files"][0]
    assert sent["dags"][0]["dag"]["description"].startswith("kept at the site (data policy: strict)")
    line = list(site.ledger.read())[-1]
    assert (line["decision"], line["carries"]) == ("changed", ["structure", "import errors"])
    assert "1 fields of Dags replaced" in line["what"]


async def test_it_leaves_as_it_is_where_the_boundary_is_open(tmp_path: Path) -> None:
    async with a_site(tmp_path, LittlePlane(), from_settings(Policy.OPEN)) as site:
        await site.client.post("/dags/report", headers=site.host(Component.DAG_PROCESSOR), json=REPORT)
        assert json.loads(site.plane.seen[0].content) == REPORT
        carried = ["structure", "authors' text", "source", "import errors"]
        assert list(site.ledger.read())[-1]["carries"] == carried


async def test_a_default_the_plane_never_knew_is_not_read_back_from_a_run(site: Site) -> None:
    notice = f"kept at the site (data policy: strict) {'0' * 32}"
    site.plane.answer = httpx.Response(200, json={"dag_run": {"conf": {"password": notice, "rows": 3}}})
    answer = await site.client.patch(f"/execution/task-instances/{TI}/run", headers=site.attempt(), json={})
    assert answer.json() == {"dag_run": {"conf": {"rows": 3}}}


def test_a_kind_of_data_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="'xcoms' is no kind of data"):
        from_settings(Policy.STRICT, {"xcoms": Policy.OPEN})


async def test_a_body_larger_than_the_plane_takes_does_not_leave(site: Site) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1000

    for content in (b"x" * 10_001, chunks()):
        answer = await site.client.post("/execution/xcoms/d/r/t/k", headers=site.attempt(), content=content)
        assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    assert site.plane.seen == []


async def test_every_request_the_agent_itself_makes_is_in_the_ledger(site: Site) -> None:
    await site.client.get("/execution/xcoms/d/r/t/k", headers=site.attempt())
    lines = list(site.ledger.read())
    assert [(line["principal"], line["path"], line["left"]) for line in lines] == [
        ("etl.extract", "/execution/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}", True)
    ]


async def test_only_the_agents_user_opens_the_socket_and_it_goes_with_the_gateway(tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    path.write_text("left behind by a process that was killed")
    async with a_site(tmp_path, LittlePlane()):
        mode = path.stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
    assert not path.exists()


async def test_a_path_too_long_for_a_socket_is_named_with_its_remedy(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, now=lambda: 0.0)
    plane: Any = httpx.Response(200)
    gateway = Gateway(tmp_path / ("x" * 120), plane, Rules(), ledger, plane, LocalSecrets())
    plane.on_sent = None
    with pytest.raises(SettingsWrong, match="state_dir"):
        await gateway.__aenter__()


async def test_a_request_the_plane_holds_is_given_up_when_its_host_ends(site: Site) -> None:
    site.plane.let_go = asyncio.Event()
    host = site.host(Component.DAG_PROCESSOR)
    watch = asyncio.create_task(site.client.post("/dags/watch", headers=host, content=b"{}"))
    await asyncio.wait_for(site.plane.holding.wait(), timeout=2)
    watch.cancel()
    await asyncio.wait_for(site.plane.abandoned.wait(), timeout=2)


OWNER = {
    "connections": ["db_*"],
    "variables": ["!secret_*"],
    "xcoms": ["shared"],
    "states": [],
    "rule": [{"name": "lean", "dags": ["etl"], "variables": ["etl_*"]}],
}


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        ("/execution/xcoms/etl/r/t/k", ""),
        ("/execution/xcoms/shared/r2/t/k", ""),
        ("/execution/xcoms/etl/r2/t/k", "xcoms"),
        ("/execution/xcoms/etl/r/t/k?include_prior_dates=true", "xcoms"),
        ("/execution/task-instances/count?dag_id=etl", ""),
        ("/execution/task-instances/count?dag_id=pay", "states"),
        ("/execution/connections/db_x", ""),
        ("/execution/connections/other", "connections"),
        ("/execution/variables/etl_x", ""),
        ("/execution/variables/secret_x", "variables"),
        ("/execution/variables/other", "lean.variables"),
    ],
)
async def test_a_task_reads_its_own_and_what_the_owner_allows(tmp_path: Path, target: str, rule: str) -> None:
    owner = parse(OWNER)
    async with a_site(tmp_path, LittlePlane(), Rules.of(Policy.OPEN), owner=owner) as site:
        answer = await site.client.get(target, headers=site.attempt())
        (line,) = [one for one in site.ledger.read() if one["path"].startswith("/execution")]
    if not rule:
        assert (answer.status_code, len(site.plane.seen), line["left"]) == (200, 1, True)
        return
    assert (answer.status_code, site.plane.seen, line["left"]) == (403, [], False)
    assert f"the site's rule {rule!r} refuses it" in answer.json()["message"] == line["what"]
    assert answer.json()["error"] == "policy_refused", "a task fails of it for good"


async def test_what_a_trigger_reads_is_of_no_run(tmp_path: Path) -> None:
    async with a_site(tmp_path, LittlePlane(), Rules.of(Policy.OPEN), owner=parse(OWNER)) as site:
        trigger = site.host(Component.TRIGGERER)
        assert (await site.client.get("/execution/xcoms/etl/r2/t/k", headers=trigger)).status_code == 200
        assert (await site.client.get("/execution/connections/other", headers=trigger)).status_code == 403


async def test_a_value_leaves_sealed_and_comes_back_as_it_was(tmp_path: Path) -> None:
    ring = KeyRing.new("frankfurt", "2026-11")
    path = "/execution/xcoms/etl/r/extract/return_value"
    async with a_site(tmp_path, LittlePlane(), ring=ring) as site:
        answer = await site.client.post(path, headers=site.attempt(), json={"patient": "Ada"})
        assert answer.status_code == 200
        sent = json.loads(site.plane.seen[-1].content)
        assert sent["sealed_by"] == "frankfurt, key 2026-11"
        assert "Ada" not in str(sent)
        site.plane.answer = httpx.Response(200, json={"key": "return_value", "value": sent})
        back = await site.client.get(path, headers=site.attempt())
        assert back.json()["value"] == {"patient": "Ada"}
        of_another_run = await site.client.get(path.replace("/r/", "/s/"), headers=site.attempt())
        assert of_another_run.status_code == 403


async def test_a_task_is_told_which_key_is_missing_and_never_gets_the_sealed_form(tmp_path: Path) -> None:
    lost, here = KeyRing.new("frankfurt", "2026-11"), KeyRing.new("frankfurt", "2027-01")
    path = "/execution/xcoms/etl/r/extract/return_value"
    async with a_site(tmp_path, LittlePlane(), ring=here) as site:
        place = ["an XCom", ["etl", "r", "extract", "-1", "return_value"], "Ada"]
        form = {"sealed_by": lost.by, "tradewind_sealed": lost.seal(json.dumps(place))}
        site.plane.answer = httpx.Response(200, json={"key": "return_value", "value": form})
        answer = await site.client.get(path, headers=site.attempt())
    assert (answer.status_code, answer.json()["error"]) == (403, "policy_refused")
    assert "sealed with key '2026-11'" in answer.json()["detail"]["message"]
    assert "has 2027-01 only. Put that key back" in answer.json()["detail"]["message"]
    [line] = [one for one in site.ledger.read() if one["decision"] == "refused"]
    assert "2026-11" in line["what"]


async def test_a_value_that_the_plane_gives_without_a_seal_is_refused_where_the_owner_demands_one(
    tmp_path: Path,
) -> None:
    ring, path = KeyRing.new("frankfurt", "2026-11"), "/execution/xcoms/etl/r/extract/return_value"
    seal = SealSettings(keys_file=tmp_path / "keys.toml", required=True)
    async with a_site(tmp_path, LittlePlane(), ring=ring, seal=seal) as site:
        await site.client.post(path, headers=site.attempt(), json="s3://bucket/key")
        sent = json.loads(site.plane.seen[-1].content)
        site.plane.answer = httpx.Response(200, json={"key": "return_value", "value": sent})
        assert (await site.client.get(path, headers=site.attempt())).json()["value"] == "s3://bucket/key"
        site.plane.answer = httpx.Response(200, json={"key": "return_value", "value": "planted"})
        answer = await site.client.get(path, headers=site.attempt())
        assert answer.status_code == 403
        assert (
            "an XCom has no seal, and this site takes sealed ones only" in answer.json()["detail"]["message"]
        )
        assert "planted" not in answer.text
        [line] = [one for one in site.ledger.read() if one["decision"] == "refused"]
        assert "has no seal" in line["what"]
    opened = Rules.of(Policy.OPEN)
    async with a_site(tmp_path / "b", LittlePlane(), opened, ring=ring, seal=seal) as site:
        site.plane.answer = httpx.Response(200, json={"key": "return_value", "value": "as it left"})
        answer = await site.client.get(path, headers=site.attempt())
        assert answer.json()["value"] == "as it left", "where XComs leave in clear they come back so"


async def test_the_owners_rules_hear_which_task_of_the_site_has_started_a_run(tmp_path: Path) -> None:
    ring, heard = KeyRing.new("frankfurt", "2026-11"), []

    def may_run(answer: Mapping[str, Any], started: StartedBy | None) -> str:
        heard.append((answer["dag_run"]["conf"], started))
        return ""

    async with a_site(tmp_path, LittlePlane(), ring=ring) as site:
        await site.client.post(
            "/execution/dag-runs/child/run1", headers=site.attempt(), json={"conf": {"rows": 3}}
        )
        sealed = json.loads(site.plane.seen[-1].content)["conf"]
        child = AttemptPrincipal(
            uuid4(), 2, WorkKind.TASK, str(TI), "child.t", OwnRun("child", "run1"), may_run=may_run
        )
        headers = {"Authorization": f"Bearer {site.secrets.issue(child)}"}
        for conf in (sealed, {"rows": 3}):
            run = {"dag_id": "child", "run_id": "run1", "conf": conf}
            site.plane.answer = httpx.Response(200, json={"dag_run": run})
            answer = await site.client.patch(f"/execution/task-instances/{TI}/run", headers=headers, json={})
            assert answer.json()["dag_run"]["conf"] == {"rows": 3}
    assert heard == [({"rows": 3}, StartedBy("etl", 1_800_000_000)), ({"rows": 3}, None)]
