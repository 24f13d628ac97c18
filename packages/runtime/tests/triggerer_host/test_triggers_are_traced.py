"""Spans reach the agent: those of a task's process, and those of triggers, whose process has no secret."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import closing
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support import directories
from tradewind_protocol import ids
from tradewind_runtime.triggers.span_relay import SpanRelay

from .conftest import FakePlane, StartHost, serving, task

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


def of_run(name: str, *, sampled: bool) -> dict[str, Any]:
    """A task of a run of which Airflow decided whether it is traced."""
    flags = "01" if sampled else "00"
    return {**task(name), "context_carrier": {"traceparent": f"00-{TRACE}-{PARENT}-{flags}"}}


def spans(plane: FakePlane) -> dict[str, Any]:
    """Those that have arrived, by name."""
    return {
        span.name: span
        for request in list(plane.spans)
        for resource in ExportTraceServiceRequest.FromString(request).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }


def recorded(plane: FakePlane) -> dict[int, bool]:
    """Whether the spans that triggers made were recorded, by trigger."""
    return {one: payloads[0] for one, payloads in plane.events().items()}


def test_a_trigger_of_a_traced_task_is_a_span_below_it_and_others_are_none(
    plane: FakePlane, start_host: StartHost
) -> None:
    start_host(env=QUICK, traces=True)
    plane.want(1, "Measures", ti=of_run("unsampled", sampled=False))
    plane.want(2, "Measures", ti=task("untraced"))
    plane.want(3, "Measures")
    plane.want(4, "Measures", ti=of_run("traced", sampled=True))
    plane.wait_for(lambda: len(plane.events()) == 4)
    assert recorded(plane) == {1: False, 2: False, 3: False, 4: True}
    plane.wait_for(lambda: spans(plane).keys() >= {"trigger.traced", "my.own.step"})
    found = spans(plane)
    assert found.keys() == {"trigger.traced", "my.own.step"}
    whole, inner = found["trigger.traced"], found["my.own.step"]
    assert (whole.trace_id.hex(), whole.parent_span_id.hex()) == (TRACE, PARENT)
    assert (inner.trace_id.hex(), inner.parent_span_id) == (TRACE, whole.span_id)


def test_where_the_agent_takes_no_spans_none_are_made(plane: FakePlane, start_host: StartHost) -> None:
    start_host(env=QUICK)
    plane.want(1, "Measures", ti=of_run("traced", sampled=True))
    plane.wait_for(lambda: plane.events())
    assert recorded(plane) == {1: False}


def test_what_does_not_fit_the_pipe_is_refused_at_once() -> None:
    with closing(SpanRelay(print).be_the_sender()) as pipe, pytest.raises(OSError):
        pipe.send(b"x" * 10_000_000)


def test_the_relay_ends_with_the_process_that_it_is_for() -> None:
    arrived: list[bytes] = []
    relay = SpanRelay(arrived.append)
    with closing(relay.pipe.dup()) as others:
        relay.start()
        [thread] = [one for one in threading.enumerate() if one.name == "tradewind-spans"]
        others.send(b"a request")
    thread.join(10)
    assert not thread.is_alive() and arrived == [b"a request"]


A_TASKS_PROCESS = """
import sys
from opentelemetry import trace
from tradewind_runtime.airflow import traces
traces.start(sys.argv[1], sys.argv[2], agent="eu-1")
trace.get_tracer("mine").start_span("my.step").end()
trace.get_tracer_provider().force_flush()
"""


@pytest.mark.parametrize(
    ("sampler", "left"), [("always_on", {"my.step"}), ("always_off", set())], ids=["on", "off"]
)
def test_a_tasks_process_leaves_the_spans_that_the_sampler_of_its_environment_takes(
    plane: FakePlane, sampler: str, left: set[str]
) -> None:
    with directories.same() as place, serving(plane, place) as gateway:
        told = [gateway, ids.new_secret(ids.LOCAL_SECRET_PREFIX)]
        env = {**os.environ, "OTEL_TRACES_SAMPLER": sampler}
        subprocess.run([sys.executable, "-c", A_TASKS_PROCESS, *told], env=env, check=True)
    assert spans(plane).keys() == left
