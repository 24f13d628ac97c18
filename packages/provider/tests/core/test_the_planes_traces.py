"""An attempt's spans on the plane, below Airflow's span of the try."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from airflow._shared.observability.traces import OverrideableRandomIdGenerator
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tradewind_protocol.attempts import WorkKind
from tradewind_provider.airflow import traces, workloads
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import work_queue

from .scenes import Clock, Plane

TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{ABOVE}-01"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What a collector would be sent, of a process whose Airflow traces."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(id_generator=OverrideableRandomIdGenerator())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(traces, "_tracer", provider.get_tracer("tradewind_provider"))
    yield exporter
    provider.shutdown()


def queued(clock: Clock, *, traceparent: str = TRACEPARENT) -> None:
    work = workloads.Workload(
        kind=WorkKind.CALLBACK,
        subject_id=uuid4(),
        queue="default",
        priority=1,
        label="work",
        workload={"secret": "SECRET-WORKLOAD"},
        traceparent=traceparent,
    )
    with create_session() as db:
        work_queue.queue(db, work, scheduler_job_id=1, executor=None, now=clock(), clock=clock)


async def whole_life(plane: Plane, clock: Clock, outcome: str = "succeeded") -> dict[str, Any]:
    """Queued, two seconds later offered, after one more started, after ten more ended, then reported."""
    queued(clock)
    clock.forward(2)
    agent = await plane.agent().opens()
    offer = (await agent.poll()).json()["offers"][0]
    clock.forward(1)
    assert (await agent.start(offer)).status_code == 200
    clock.forward(10)
    assert (await agent.finish(offer, kind=outcome, reason="SECRET-REASON")).status_code == 204
    clock.forward(1)
    with create_session() as db:
        work_queue.ended(db, scheduler_job_id=1, now=clock())
    return dict(offer)


def by_name(told: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {span.name: span for span in told.get_finished_spans()}


def hexadecimal(span: ReadableSpan) -> tuple[str, str, str]:
    """Its trace, its id, its parent's id."""
    assert span.context is not None and span.parent is not None
    return f"{span.context.trace_id:032x}", f"{span.context.span_id:016x}", f"{span.parent.span_id:016x}"


def seconds(span: ReadableSpan) -> float:
    assert span.end_time is not None and span.start_time is not None
    return (span.end_time - span.start_time) / 1e9


async def test_every_step_of_an_attempt_is_below_one_span(
    plane: Plane, clock: Clock, told: InMemorySpanExporter
):
    offer = await whole_life(plane, clock)
    found = by_name(told)
    whole = found.pop("tradewind.attempt")
    trace_id, whole_id, above = hexadecimal(whole)
    assert (trace_id, above) == (TRACE, ABOVE)
    assert offer["traceparent"] == f"00-{TRACE}-{whole_id}-01"  # so that the agent's spans are below it too
    assert {hexadecimal(span)[::2] for span in found.values()} == {(TRACE, whole_id)}
    assert {name: seconds(span) for name, span in found.items()} == {
        "tradewind.enqueue": 0.0,
        "tradewind.queued": 2.0,
        "tradewind.offered": 1.0,
        "tradewind.lease": 10.0,
        "tradewind.report": 1.0,
    }
    assert seconds(whole) == 13.0
    assert whole.attributes is not None and whole.attributes["tradewind.process"] == "exited"


async def test_no_secret_and_no_words_of_an_error_are_told(
    plane: Plane, clock: Clock, told: InMemorySpanExporter
):
    await whole_life(plane, clock, outcome="failed")
    everything = "".join(span.to_json() for span in told.get_finished_spans())
    for secret in ("SECRET", "tw_session_", "tw_agent_"):
        assert secret not in everything
    whole = by_name(told)["tradewind.attempt"]
    assert whole.status.status_code is trace.StatusCode.ERROR
    assert whole.status.description == "broken"


@pytest.mark.parametrize("traceparent", ["", f"00-{TRACE}-{ABOVE}-00", "rubbish"])
async def test_what_airflow_does_not_trace_is_not_traced(
    plane: Plane, clock: Clock, told: InMemorySpanExporter, traceparent: str
):
    queued(clock, traceparent=traces.sampled({"traceparent": traceparent}))
    agent = await plane.agent().opens()
    offer = (await agent.poll()).json()["offers"][0]
    assert offer["traceparent"] == ""
    assert told.get_finished_spans() == ()
