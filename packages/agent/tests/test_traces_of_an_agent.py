"""What an OpenTelemetry collector is told, and what it costs when there is none."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from agent_kit import AgentUnderTest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tradewind_agent.access.local_secrets import AttemptPrincipal
from tradewind_agent.settings import Settings
from tradewind_agent.testing import FakePlane
from tradewind_agent.traces import collector as collectors
from tradewind_agent.traces import spans
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.hosts import TRACES_PATH, RunAttempt

pytestmark = pytest.mark.looptime(resolution=1e-9)

TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{ABOVE}-01"
TI = {
    "id": "11111111-1111-1111-1111-111111111111",
    "dag_id": "orders",
    "task_id": "load",
    "run_id": "r1",
    "try_number": 2,
    "map_index": -1,
    "context_carrier": {"traceparent": f"00-{TRACE}-{'ab' * 8}-01", "tracestate": "airflow/x=2"},
    "secret": "SECRET-WORKLOAD",
}


class CollectorThere(httpx.AsyncBaseTransport):
    """A collector that keeps what it is sent."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.spans: list[Span] = []
        self.answers: list[int] = []  # statuses to answer with first
        self.down = False
        self.came = asyncio.Event()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            await asyncio.sleep(3600)
        self.requests.append(request)
        if self.answers:
            return httpx.Response(self.answers.pop(0))
        for resource in ExportTraceServiceRequest.FromString(request.content).resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        self.came.set()
        return httpx.Response(200)

    async def until(self, *names: str) -> dict[str, Span]:
        while not set(names) <= {each.name for each in self.spans}:
            self.came.clear()
            await self.came.wait()
        return {each.name: each for each in self.spans}


@pytest.fixture
def collector(agent: AgentUnderTest) -> CollectorThere:
    agent.collector = made = CollectorThere()
    agent.with_settings(traces_endpoint="http://collector:4318")
    return made


async def test_an_attempt_is_one_span_with_its_steps_below_it(
    agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere
):
    plane.queue(taking=5, traceparent=TRACEPARENT, ti=TI)
    async with agent:
        found = await collector.until("tradewind.agent.attempt", "tradewind.agent.deliver")
    assert {span.trace_id.hex() for span in found.values()} == {TRACE}
    whole, run = found["tradewind.agent.attempt"], found["tradewind.agent.run"]
    assert whole.parent_span_id.hex() == ABOVE
    parents = {name: span.parent_span_id for name, span in found.items()}
    assert parents["tradewind.agent.confirm"] == parents["tradewind.agent.run"] == whole.span_id
    assert parents["tradewind.agent.deliver"] == whole.span_id
    assert parents["tradewind.agent.fork"] == run.span_id
    assert (run.end_time_unix_nano - run.start_time_unix_nano) / 1e9 == pytest.approx(5, abs=0.1)
    assert whole.start_time_unix_nano <= run.start_time_unix_nano
    assert run.end_time_unix_nano <= whole.end_time_unix_nano
    attributes = {each.key: each.value for each in whole.attributes}
    assert attributes["airflow.task_id"].string_value == "load"
    assert attributes["airflow.task_instance.try_number"].int_value == 2
    assert attributes["airflow.task_instance.map_index"].int_value == -1
    assert attributes["tradewind.process"].string_value == "exited"


async def test_airflow_in_the_task_finds_the_agents_span_above_its_own(
    agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere
):
    plane.queue(taking=0, traceparent=TRACEPARENT, ti=TI)
    async with agent:
        found = await collector.until("tradewind.agent.run")
        run = next(each for each in agent.launcher.worker.received if isinstance(each, RunAttempt))
    carrier = run.workload["ti"]["context_carrier"]
    assert carrier["traceparent"] == f"00-{TRACE}-{found['tradewind.agent.run'].span_id.hex()}-01"
    assert carrier["tracestate"] == "airflow/x=2"  # how much detail Airflow was asked for


async def test_a_failed_attempt_is_marked_and_says_no_word_of_its_error(
    agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere
):
    plane.queue(taking=0, outcome="failed", traceparent=TRACEPARENT, ti=TI)
    async with agent:
        found = await collector.until("tradewind.agent.attempt")
    assert found["tradewind.agent.attempt"].status.code == Status.STATUS_CODE_ERROR
    assert found["tradewind.agent.attempt"].status.message == "exited"


async def test_no_secret_is_told(agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere):
    plane.queue(taking=0, traceparent=TRACEPARENT, ti=TI)
    agent.with_settings(traces_headers="x-api-key=COLLECTOR-KEY,x-more=1")
    async with agent:
        await collector.until("tradewind.agent.attempt", "tradewind.agent.deliver")
        sent = b"".join(each.content for each in collector.requests)
        for secret in (
            b"SECRET-WORKLOAD",
            plane.token.encode(),
            b"tw_session_",
            b"tw_local_",
            b"COLLECTOR-KEY",
        ):
            assert secret not in sent
        assert {each.headers["x-api-key"] for each in collector.requests} == {"COLLECTOR-KEY"}
        assert "COLLECTOR-KEY" not in repr(agent.agent.settings)
        assert "COLLECTOR-KEY" not in json.dumps(agent.agent.board.document(), default=str)


@pytest.mark.parametrize("traceparent", ["", TRACEPARENT[:-2] + "00", "rubbish"])
async def test_work_that_the_plane_does_not_trace_is_not_traced(
    agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere, traceparent: str
):
    attempt = plane.queue(taking=0, traceparent=traceparent, ti=TI)
    async with agent:
        await plane.until(lambda: attempt.outcomes)
        await asyncio.sleep(30)
        run = next(each for each in agent.launcher.worker.received if isinstance(each, RunAttempt))
    assert run.workload["ti"] == TI
    assert collector.requests == []


async def test_without_a_collector_nothing_is_traced(agent: AgentUnderTest, plane: FakePlane):
    attempt = plane.queue(taking=0, traceparent=TRACEPARENT, ti=TI)
    async with agent:
        await plane.until(lambda: attempt.outcomes)
        configured = agent.launcher.worker.configured
        assert configured is not None and configured.options["traces"] is False
        run = next(each for each in agent.launcher.worker.received if isinstance(each, RunAttempt))
    assert run.workload["ti"] == TI


async def test_a_collector_that_is_away_costs_work_nothing(
    looptime, agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere
):
    collector.down = True
    async with agent:
        await agent.ready()
        before = asyncio.get_running_loop().time()
        for _ in range(10):
            attempt = plane.queue(taking=1, traceparent=TRACEPARENT, ti=TI)
            await plane.until(lambda one=attempt: one.outcomes)
        assert asyncio.get_running_loop().time() - before < 12
        leaving = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - leaving < 4


async def test_a_collector_that_comes_back_gets_what_it_missed(
    agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere
):
    collector.answers = [503, 429, 503]
    plane.queue(taking=0, traceparent=TRACEPARENT, ti=TI)
    async with agent:
        await collector.until("tradewind.agent.attempt")
        assert agent.agent.board.document()["metrics"]["traces_dropped"] == 0


async def test_what_the_collector_refuses_is_dropped_and_counted(
    agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere
):
    collector.answers = [400]
    plane.queue(taking=0, traceparent=TRACEPARENT, ti=TI)
    async with agent:
        await asyncio.sleep(60)
        plane.queue(taking=0, traceparent=TRACEPARENT, ti=TI)
        await collector.until("tradewind.agent.attempt")
        assert agent.agent.board.document()["metrics"]["traces_dropped"] == 1


async def test_what_waits_for_the_collector_has_a_bound():
    waiting = collectors.Collector(url="http://c/v1/traces", headers={}, resource={}, tls=None)
    for _ in range(100):
        waiting.relay(b"x" * (collectors.MOST_WAITING // 10))
    assert waiting.dropped == 90


async def test_spans_of_a_task_go_to_the_collector_and_not_to_the_plane(
    agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere
):
    async with agent:
        await agent.ready()
        principal = AttemptPrincipal(attempt_id=plane.queue().id, epoch=1, kind=WorkKind.TASK)
        secret = agent.agent.secrets.issue(principal)
        place = spans.SpanContext(TRACE, ABOVE)
        body = spans.request([spans.Span("worker.load", place.below(), place, 1.0, 2.0)], {})
        gateway = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(agent.agent.settings.state_dir / "gateway.sock")),
            base_url="http://gateway",
        )
        async with gateway:
            refused = await gateway.post(TRACES_PATH, content=body)
            taken = await gateway.post(
                TRACES_PATH, content=body, headers={"authorization": f"Bearer {secret}"}
            )
        assert (refused.status_code, taken.status_code) == (401, 200)
        await collector.until("worker.load")
        assert {line["to"] for line in agent.agent.ledger.read() if line["path"] == TRACES_PATH} == {
            "http://collector:4318/v1/traces"
        }


@pytest.mark.parametrize("wrong", ["collector:4318", "grpc://collector", "http://user:SECRET-PW@collector"])
def test_an_address_that_is_none_is_refused_without_being_shown(tmp_path: Path, wrong: str):
    with pytest.raises(ValueError, match="traces_endpoint") as refused:
        Settings(plane_url="http://p", token="tw_agent_x", state_dir=tmp_path, traces_endpoint=wrong)
    assert "must" in str(refused.value)


async def test_what_went_to_the_collector_is_in_the_ledger(
    agent: AgentUnderTest, plane: FakePlane, collector: CollectorThere
):
    plane.queue(taking=0, traceparent=TRACEPARENT, ti=TI)
    async with agent:
        await collector.until("tradewind.agent.attempt")
        await asyncio.sleep(1)
        sent = [line for line in agent.agent.ledger.read() if line["principal"] == "traces"]
    assert {(line["to"], line["status"]) for line in sent} == {("http://collector:4318/v1/traces", 200)}
    assert sum(line["bytes"] for line in sent) == sum(len(each.content) for each in collector.requests)
