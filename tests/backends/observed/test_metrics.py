"""Airflow's own metrics of tasks, Dag files and triggers come from the site, under the names that LocalExecutor's Airflow has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from backends.observed.conftest import Told
from support.airflow_rest import AirflowRest, eventually
from support.collector import Collector
from support.deployment import Deployment, run_site
from support.environments import observed
from tradewind.embedded.plane import Plane

pytestmark = pytest.mark.timeout(900)  # the first test runs the Dags twice, each on an Airflow of its own

OF_SITES = re.compile(
    r"airflow\.(ti\.(start|finish)|ti_|task\.|task_\w+|operator_|dag\.\w+\.\w+\.duration|dag_processing\.|dagbag"
    r"|triggers\.|triggerer)"
)
"""What Airflow counts in tasks, dag processors and triggerers."""


def test_the_names_of_statsd_are_those_of_local_executor(
    deployment: Deployment, locally: Told, by_plane: Told, by_site: Told
) -> None:
    # of a triggerer's host a site says the agent's name
    expected = {each.replace("HOST", "told") for each in locally.metrics.names if OF_SITES.match(each)}
    assert {
        "airflow.ti.finish",
        "airflow.dag_processing.total_parse_time",
        "airflow.triggers.succeeded",
    } <= expected

    def missing() -> set[str]:
        return expected - by_site.metrics.names - by_plane.metrics.names

    eventually(lambda: not missing(), timeout=60, what=lambda: f"LocalExecutor alone has {sorted(missing())}")


def test_the_plane_counts_no_task(deployment: Deployment, by_plane: Told, by_site: Told) -> None:
    in_the_task = {"airflow.ti_successes", "airflow.task.duration", "airflow.dag_processing.total_parse_time"}
    assert in_the_task <= by_site.metrics.names
    assert not in_the_task & by_plane.metrics.names


@pytest.fixture
def metered(directory: Path, observed_plane: Plane) -> Iterator[tuple[AirflowRest, Collector]]:
    """Another site, which sends its metrics as OpenTelemetry."""
    with Collector() as collector:
        variables = {
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        dags = Path(__file__).parent / "dags_metered"
        site = run_site(
            directory / "metered",
            observed_plane,
            name="metered",
            bundle="metered",
            token_site="metered",
            dags=dags,
            site=variables,
            tasks=observed().tasks,
        )
        with site, observed_plane.client() as http:
            yield AirflowRest(http), collector


def names(collector: Collector) -> set[str]:
    return {
        metric.name
        for body in list(collector.metrics)
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_metrics_of_tasks_files_and_triggers_reach_an_opentelemetry_collector(
    metered: tuple[AirflowRest, Collector],
) -> None:
    rest, collector = metered
    rest.wait_for_dags(["metered"])
    run = rest.run("metered", timeout=120)
    log = rest.get(f"/dags/metered/dagRuns/{run.run_id}/taskInstances/waits/logs/1")["content"]
    assert run.state == "success", (run, log)
    expected = {
        "airflow.ti.start",
        "airflow.ti.finish",
        "airflow.ti_successes",
        "airflow.task.duration",
        "airflow.dag_processing.total_parse_time",
        "airflow.triggers.succeeded",
    }
    eventually(
        lambda: expected <= names(collector), timeout=60, what=lambda: f"not {expected - names(collector)}"
    )
