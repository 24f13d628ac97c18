"""What tasks see of an outage: nothing, as long as the plane's grace lasts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tradewind_agent.access.local_secrets import AttemptPrincipal
from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.gateway import outage
from tradewind_agent.gateway.execution import ExecutionRequests
from tradewind_agent.gateway.ledger import Ledger
from tradewind_agent.gateway.outage import OutageAction, Repeatability
from tradewind_agent.gateway.requests import ClientDisconnected, GatewayRequest, Reply
from tradewind_agent.state.sealing import SiteSealing
from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol import boundary
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary import Rules
from tradewind_protocol.sessions import Cadence

pytestmark = pytest.mark.looptime(resolution=1e-9)

TI = uuid4()
XCOM = "/execution/xcoms/etl/run/extract/return_value"
REFERENCE = b'"s3://bucket/key"'


@dataclass
class Plane:
    """A plane that can go away, lose an answer after it has acted, and answer as told."""

    cadence: Cadence = Cadence(grace=600, lost_after=75, retry_first=0.5, retry_most=15)
    session: None = None
    on_sent: Any = None
    answers: list[httpx.Response] = field(default_factory=list)
    seen: list[tuple[str, str, bytes]] = field(default_factory=list)
    lose: int = 0  # answers still to be lost after the plane has acted
    silence: float = 0.0  # seconds before each answer
    last_success: float | None = 0.0  # looptime starts each test there

    def __post_init__(self) -> None:
        self.up = asyncio.Event()
        self.up.set()

    @property
    def reachable(self) -> bool:
        return self.up.is_set()

    async def wait_reachable(self) -> None:
        await self.up.wait()

    def goes_away(self, *, back_after: float | None = None) -> None:
        self.up.clear()
        if back_after is not None:
            asyncio.get_running_loop().call_later(back_after, self.comes_back)

    def comes_back(self) -> None:
        self.last_success = asyncio.get_running_loop().time()
        self.up.set()

    async def forward(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        content: bytes,
        *,
        timeout: float | None = None,
    ) -> httpx.Response:
        if not self.reachable:
            raise PlaneUnreachable("refused", may_have_arrived=False)
        self.seen.append((method, path, content))
        await asyncio.sleep(self.silence)
        if self.lose:
            self.lose -= 1
            raise PlaneUnreachable("the connection broke")
        self.last_success = asyncio.get_running_loop().time()
        return self.answers.pop(0) if self.answers else httpx.Response(200, json={"ok": True})


class Box:
    """What the outbox was given."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, str, bytes]] = []
        self.headers: list[Mapping[str, str]] = []
        self.full = False

    def put(
        self, *, attempt_id: UUID, method: str, path: str, body: bytes, headers: Any = None, **_: Any
    ) -> bool:
        if self.full:
            raise OSError("no space left on device")
        self.kept.append((method, path, body))
        self.headers.append(headers)
        return True


@dataclass
class Site:
    plane: Plane
    box: Box
    ledger: Ledger
    requests: ExecutionRequests
    attempt: AttemptPrincipal = field(
        default_factory=lambda: AttemptPrincipal(uuid4(), 1, WorkKind.TASK, str(TI), "etl.extract")
    )
    hangs_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, method: str, path: str, body: bytes = b"") -> Reply:
        async def gone() -> None:
            await self.hangs_up.wait()

        headers = {"airflow-api-version": "2026-06-30", "content-type": "application/json", "cookie": "x"}
        return await self.requests.answer(
            self.attempt, GatewayRequest(method, path.partition("?")[0], path, headers, body, gone)
        )

    async def state(self, state: str) -> Reply:
        body = json.dumps({"state": state}).encode()
        return await self.ask("PATCH", f"/execution/task-instances/{TI}/state", body)

    async def heartbeat(self) -> Reply:
        body = b'{"hostname": "container", "pid": 7}'
        return await self.ask("PUT", f"/execution/task-instances/{TI}/heartbeat", body)


@pytest.fixture
async def site(tmp_path: Path) -> Any:
    plane, box = Plane(), Box()
    with Ledger(tmp_path, now=lambda: 1_800_000_000.0) as ledger:
        requests = ExecutionRequests(
            plane=plane, rules=Rules, ledger=ledger, outbox=box, sealing=SiteSealing(SiteKey(b"of this site"))
        )
        yield Site(plane, box, ledger, requests)


async def test_heartbeats_are_answered_until_the_grace_is_over(site: Site) -> None:
    site.plane.goes_away()
    for _ in range(5):
        await asyncio.sleep(119)
        assert (await site.heartbeat()).status == 204
    await asyncio.sleep(10)
    late = await site.heartbeat()
    assert late.status == 503
    assert b"grace" not in late.body
    assert b"600 s" in late.body
    assert site.plane.seen == []


async def test_a_heartbeat_whose_answer_is_lost_is_answered_all_the_same(site: Site) -> None:
    site.plane.lose = 1
    assert (await site.heartbeat()).status == 204


async def test_a_network_that_swallows_packets_costs_no_heartbeat(site: Site, looptime: Any) -> None:
    site.plane.silence = 30
    assert (await site.heartbeat()).status == 204
    assert looptime == 4, "Airflow's client gives up after 5"


async def test_what_the_plane_says_to_a_heartbeat_reaches_the_task(site: Site) -> None:
    site.plane.answers = [httpx.Response(409, json={"detail": {"reason": "not_running"}})]
    reply = await site.heartbeat()
    assert reply.status == 409
    assert b"not_running" in reply.body


@pytest.mark.parametrize(
    "state",
    ["success", "failed", "skipped", "up_for_retry", "deferred", "up_for_reschedule", "awaiting_input"],
)
async def test_a_tasks_end_is_kept_and_its_process_can_go(site: Site, state: str, looptime: Any) -> None:
    site.plane.goes_away()
    assert (await site.state(state)).status == 204
    assert site.box.kept == [
        ("PATCH", f"/execution/task-instances/{TI}/state", json.dumps({"state": state}).encode())
    ]
    headers = site.box.headers[0]
    assert headers["airflow-api-version"] == "2026-06-30", "the plane has to read the body as it was meant"
    assert headers["Tradewind-Attempt"] == f"{site.attempt.attempt_id}:1"
    assert "cookie" not in headers
    assert looptime == 0


async def test_an_end_whose_answer_is_lost_is_kept_too(site: Site) -> None:
    site.plane.lose = 1
    assert (await site.state("success")).status == 204
    assert len(site.plane.seen) == 1
    assert len(site.box.kept) == 1


async def test_what_a_task_writes_after_its_kept_end_follows_it_in_order(site: Site) -> None:
    site.plane.goes_away()
    await site.state("success")
    site.plane.comes_back()
    assert (await site.ask("POST", XCOM, REFERENCE)).status == 201
    assert (await site.state("failed")).status == 204, "the first end counts"
    assert (await site.heartbeat()).status == 204
    assert [path for _, path, _ in site.box.kept] == [f"/execution/task-instances/{TI}/state", XCOM]
    assert site.plane.seen == []


async def test_an_xcom_waits_for_the_plane_so_that_it_arrives_before_the_end(
    site: Site, looptime: Any
) -> None:
    site.plane.goes_away(back_after=300)
    assert (await site.ask("POST", XCOM + "?map_index=3", REFERENCE)).status == 200
    assert looptime == 300
    assert site.plane.seen == [("POST", XCOM + "?map_index=3", REFERENCE)]
    assert (await site.state("success")).status == 200
    assert site.box.kept == []


async def test_a_read_waits_no_longer_than_the_grace(site: Site, looptime: Any) -> None:
    await asyncio.sleep(100)
    site.plane.goes_away()
    reply = await site.ask("GET", XCOM)
    assert reply.status == 503
    assert looptime == 600, "the grace runs from the plane's last word, not from the request"


async def test_nothing_new_starts_once_the_plane_may_count_the_agent_as_lost(
    site: Site, looptime: Any
) -> None:
    site.plane.goes_away()
    reply = await site.ask("PATCH", f"/execution/task-instances/{TI}/run", b'{"hostname": "c", "pid": 1}')
    assert reply.status == 503
    assert looptime == 75


async def test_a_write_with_a_lost_answer_is_sent_again_when_that_changes_nothing(site: Site) -> None:
    site.plane.lose = 2
    assert (await site.ask("POST", XCOM, REFERENCE)).status == 200
    assert len(site.plane.seen) == 3


async def test_a_triggered_run_with_a_lost_answer_is_not_called_a_duplicate_of_itself(site: Site) -> None:
    site.plane.lose = 1
    site.plane.answers = [httpx.Response(409, json={"detail": {"reason": "already_exists"}})]
    assert (await site.ask("POST", "/execution/dag-runs/other/run", b"{}")).status == 204
    assert len(site.plane.seen) == 2


async def test_a_run_that_was_there_before_stays_a_conflict(site: Site) -> None:
    site.plane.answers = [httpx.Response(409, json={"detail": {"reason": "already_exists"}})]
    assert (await site.ask("POST", "/execution/dag-runs/other/run", b"{}")).status == 409


async def test_clearing_a_run_is_never_sent_twice(site: Site) -> None:
    site.plane.lose = 1
    reply = await site.ask("POST", "/execution/dag-runs/other/run/clear")
    assert reply.status == 503
    assert b"may have acted" in reply.body
    assert len(site.plane.seen) == 1


async def test_a_request_the_plane_never_saw_may_always_be_sent_again(site: Site) -> None:
    site.plane.goes_away(back_after=5)
    assert (await site.ask("POST", "/execution/dag-runs/other/run/clear")).status == 200
    assert len(site.plane.seen) == 1


async def test_a_plane_that_breaks_one_request_for_ever_is_not_asked_for_ever(
    site: Site, looptime: Any
) -> None:
    site.plane.lose = 1000
    assert (await site.ask("GET", XCOM)).status == 503
    assert len(site.plane.seen) == 10
    assert looptime < 150


async def test_nobody_is_waited_for_who_has_hung_up(site: Site, looptime: Any) -> None:
    site.plane.goes_away(back_after=300)
    asyncio.get_running_loop().call_later(5, site.hangs_up.set)
    with pytest.raises(ClientDisconnected):
        await site.ask("POST", XCOM, REFERENCE)
    assert looptime == 5
    assert site.plane.seen == []


async def test_with_a_full_disk_a_tasks_end_waits_for_the_plane(site: Site, looptime: Any) -> None:
    site.box.full = True
    site.plane.goes_away(back_after=60)
    assert (await site.state("success")).status == 200
    assert looptime == 60


async def test_the_ledger_tells_what_left_and_what_was_done_in_its_place(site: Site) -> None:
    site.plane.goes_away()
    await site.heartbeat()
    await site.state("success")
    await site.ask("POST", XCOM, b'{"raw": "Ada Lovelace"}')
    lines = list(site.ledger.read())
    assert [(line["decision"], line["left"], line["status"]) for line in lines] == [
        ("answered", False, 204),
        ("kept", False, 204),
        ("refused", False, 403),
    ]
    assert lines[2]["path"] == "/execution/xcoms/{dag_id}/{run_id}/{task_id}/{key:path}"
    assert "Lovelace" not in json.dumps(lines)


def test_every_route_has_its_rule_for_an_outage() -> None:
    callable_ = {route.name for route in boundary.ROUTES if route.callers}
    assert set(outage.OUTAGE_RULES) == callable_


def test_what_is_kept_or_answered_here_has_an_answer_to_give() -> None:
    for name, rule in outage.OUTAGE_RULES.items():
        if rule.away in (OutageAction.KEEP, OutageAction.STAND_IN) or rule.again is Repeatability.DONE:
            assert rule.ok is not None, name
    reads = {route.name for route in boundary.ROUTES if route.method in ("GET", "HEAD")}
    assert not [name for name in reads & set(outage.OUTAGE_RULES) if outage.OUTAGE_RULES[name].ok is not None]


async def test_a_heartbeat_right_after_the_start_needs_no_second_question(site: Site):
    await site.ask("PATCH", f"/execution/task-instances/{TI}/run", b"{}")
    assert (await site.heartbeat()).status == 204
    assert [path.rpartition("/")[2] for _, path, _ in site.plane.seen] == ["run"]
    await asyncio.sleep(5)  # when Airflow's supervisor sends the next
    site.plane.answers = [httpx.Response(409, json={"detail": {"reason": "not_running"}})]
    assert (await site.heartbeat()).status == 409
    # a plane that has said no is asked again at once
    await site.heartbeat()
    assert len(site.plane.seen) == 3


async def test_a_start_the_plane_refused_answers_no_heartbeat(site: Site):
    site.plane.answers = [httpx.Response(409, json={"detail": {"reason": "invalid_state"}})]
    await site.ask("PATCH", f"/execution/task-instances/{TI}/run", b"{}")
    await site.heartbeat()
    assert len(site.plane.seen) == 2
