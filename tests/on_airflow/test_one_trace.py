"""A run of a Dag is one trace, across plane and agent, in a collector on either side."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import airflow_rest
from support.collector import Collector, Span
from support.deployment import Deployment, run_site
from support.installed import plane_settings
from tradewind.embedded import plane

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def planes() -> Iterator[Collector]:
    """The collector of those who run the plane."""
    with Collector() as one:
        yield one


@pytest.fixture(scope="module")
def sites() -> Iterator[Collector]:
    """The collector of those who run the site."""
    with Collector() as one:
        yield one


@pytest.fixture(scope="module")
def traced(
    directory: Path, planes: Collector, sites: Collector, database_server: object
) -> Iterator[Deployment]:
    """A plane whose Airflow traces, and an agent that does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", planes.url)
        patch.setenv("OTEL_TRACES_EXPORTER", "otlp_proto_http")
        patch.setenv("OTEL_BSP_SCHEDULE_DELAY", "500")
        settings = plane_settings(
            home=directory / "traced-plane",
            database=database_server.new_database() if database_server else None,  # type: ignore[attr-defined]
            options={
                "scheduler": {"scheduler_idle_sleep_time": "0.5", "scheduler_heartbeat_sec": "2"},
                "traces": {"otel_on": "True"},
            },
        )
        with plane.Plane(settings) as running:
            for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER", "OTEL_BSP_SCHEDULE_DELAY"):
                patch.delenv(name)
            site = run_site(
                directory / "traced-site",
                running,
                dags=HERE / "dags_traced",
                options={"traces_endpoint": sites.url},
            )
            with site as (agent, home), running.client() as http:
                yield Deployment(plane=running, agent=agent, site=home, rest=airflow_rest.AirflowRest(http))


def run(deployment: Deployment) -> float:
    """Run the Dag; how many seconds its task took, as Airflow says."""
    deployment.rest.wait_for_dags(["traced"])
    ended = deployment.rest.run("traced")
    assert ended.state == "success"
    instance = deployment.rest.task_instances("traced", ended.run_id)[0]
    return float(instance["duration"])


def by_name(spans: list[Span]) -> dict[str, Span]:
    return {one.name: one for one in spans}


def test_a_task_is_one_trace_from_the_schedulers_enqueue_to_user_code(
    traced: Deployment, planes: Collector, sites: Collector
):
    run(traced)
    airflow_rest.eventually(
        lambda: (
            {"dag_run.traced", "task_run.work", "tradewind.attempt", "tradewind.report"}
            <= {one.name for one in planes.spans}
            and {"worker.work", "my.own.step", "tradewind.agent.deliver"} <= {one.name for one in sites.spans}
        ),
        timeout=30,
        what=lambda: (
            f"all spans were told: plane {sorted({one.name for one in planes.spans})}, "
            f"site {sorted({one.name for one in sites.spans})}"
        ),
    )
    whole_run = by_name(planes.spans)["dag_run.traced"]
    found = by_name(
        [
            one
            for collector in (planes, sites)
            for one in collector.where(lambda each: each.trace_id == whole_run.trace_id)
        ]
    )
    parents = {
        "task_run.work": "dag_run.traced",
        "tradewind.attempt": "task_run.work",
        "tradewind.enqueue": "tradewind.attempt",
        "tradewind.queued": "tradewind.attempt",
        "tradewind.offered": "tradewind.attempt",
        "tradewind.lease": "tradewind.attempt",
        "tradewind.report": "tradewind.attempt",
        "tradewind.agent.attempt": "tradewind.attempt",
        "tradewind.agent.confirm": "tradewind.agent.attempt",
        "tradewind.agent.run": "tradewind.agent.attempt",
        "tradewind.agent.fork": "tradewind.agent.run",
        "worker.work": "tradewind.agent.run",
        "my.own.step": "worker.work",
        "tradewind.agent.deliver": "tradewind.agent.attempt",
    }
    assert {
        name: next((one.name for one in found.values() if one.span_id == found[name].parent_id), "nobody")
        for name in parents
    } == parents
    inner = (
        "tradewind.enqueue",
        "tradewind.agent.attempt",
        "tradewind.agent.run",
        "worker.work",
        "my.own.step",
    )
    assert [found[name].start for name in inner] == sorted(found[name].start for name in inner)
    assert found["my.own.step"].end <= found["tradewind.agent.run"].end <= found["tradewind.attempt"].end


def test_the_trigger_of_a_deferred_task_is_in_the_trace_of_its_task(
    traced: Deployment, planes: Collector, sites: Collector
):
    traced.rest.wait_for_dags(["traced_waiting"])
    assert traced.rest.run("traced_waiting").state == "success"
    airflow_rest.eventually(
        lambda: (
            "task_run.waits" in {one.name for one in planes.spans}
            and "trigger.waits" in {one.name for one in sites.spans}
        ),
        timeout=30,
        what=lambda: f"the trigger's span was told: {sorted({one.name for one in sites.spans})}",
    )
    whole, trigger = by_name(planes.spans)["task_run.waits"], by_name(sites.spans)["trigger.waits"]
    assert (trigger.trace_id, trigger.parent_id) == (whole.trace_id, whole.span_id)
    assert trigger.service == "tradewind-triggerer"
    assert whole.start <= trigger.start <= trigger.end <= whole.end
    assert not any(one.name.startswith("trigger.") for one in planes.spans)


def test_each_side_tells_its_own_collector_and_nobody_tells_a_secret(
    traced: Deployment, planes: Collector, sites: Collector
):
    run(traced)
    airflow_rest.eventually(
        lambda: any(one.name == "worker.work" for one in sites.spans), timeout=30, what="the site's spans"
    )
    services = {one.service for one in sites.spans} - {"tradewind-triggerer"}  # of another test
    assert services == {"tradewind-agent", "tradewind-task"}
    assert not any(one.name.startswith(("tradewind.agent.", "worker.", "my.own")) for one in planes.spans)
    told = b"".join((*planes.requests, *sites.requests))
    for secret in (b"SECRET-", b"tw_agent_", b"tw_session_", b"tw_local_", b"eyJ"):
        assert secret not in told


def test_a_collector_that_is_gone_costs_a_task_nothing(traced: Deployment, sites: Collector):
    """Comes last: it ends the site's collector."""
    before = min(run(traced) for _ in range(3))
    sites.__exit__()
    started = time.monotonic()
    after = min(run(traced) for _ in range(3))
    assert after < before + 0.5, f"{before:.2f} s with a collector, {after:.2f} s without"
    traced.agent.stop()
    assert time.monotonic() - started < 120
