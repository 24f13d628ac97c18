"""The same Dags with the same settings under LocalExecutor and on an agent under `strict`, and who is told of what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.airflow_rest import AirflowRest, Run, eventually
from support.deployment import JOURNAL, Deployment, run_site
from support.environments import observed
from support.installed import plane_settings
from support.lineage import Receiver
from support.statsd import StatsDSink
from tradewind.embedded.agent import local_bundle
from tradewind.embedded.plane import Plane, PlaneSettings

DAGS = Path(__file__).parent / "dags"
DATE = "2026-03-02T00:00:00Z"
SCHEDULER = {"scheduler_idle_sleep_time": "0.5"}


@dataclass
class Told:
    """Events and names of metrics that one Airflow sent."""

    lineage: Receiver
    metrics: StatsDSink

    def options(self) -> dict[str, Mapping[str, str]]:
        transport = {"type": "http", "url": self.lineage.url}
        lineage = {
            "namespace": "warehouse",
            "transport": json.dumps(transport),
            "execute_in_thread": "True",
            "disable_source_code": "True",
        }
        return {"openlineage": lineage, "metrics": self.metrics.options()}

    def variables(self) -> dict[str, str]:
        return {
            f"AIRFLOW__{section}__{key}".upper(): value
            for section, options in self.options().items()
            for key, value in options.items()
        }


@pytest.fixture(scope="package")
def receivers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def new_receivers(stack: ExitStack) -> Told:
    return Told(stack.enter_context(Receiver()), stack.enter_context(StatsDSink()))


def run_the_dags(rest: AirflowRest, *told: Told) -> Run:
    """Run them once, and wait for the events that come after the runs."""
    rest.wait_for_dags(["lineage", "lineage_fails", "lineage_lost"], timeout=180)
    rest.unpause("lineage_fails")
    run = rest.run("lineage", logical_date=DATE, dag_run_id="told", timeout=240)

    def ended() -> set[str]:
        ends = ("COMPLETE", "FAIL")
        return {e["job"]["name"] for each in told for e in each.lineage.events if e["eventType"] in ends}

    eventually(
        lambda: {"lineage", "lineage_fails"} <= ended(), timeout=60, what=lambda: f"the runs' ends: {ended()}"
    )
    return run


@pytest.fixture(scope="package")
def locally(directory: Path, receivers: ExitStack) -> Told:
    """What an Airflow with LocalExecutor sends. It now and then fails a task that was deferred, because it hears of the
    deferral when the task is queued again; so a run that failed is run anew, on another plane.
    """
    for number in range(1, 4):
        told = new_receivers(receivers)
        if (run := run_locally(directory / f"local-{number}", told)).state == "success":
            return told
    raise AssertionError(f"LocalExecutor failed three times: {run}")


def run_locally(home: Path, told: Told) -> Run:
    settings = PlaneSettings(
        home=home,
        interpreter=observed().stock,
        stock=True,
        executor="LocalExecutor",
        options={
            **told.options(),
            "core": {"parallelism": "4"},
            "scheduler": SCHEDULER,
            "dag_processor": {"dag_bundle_config_list": json.dumps([local_bundle("dags", DAGS)])},
        },
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SITE_JOURNAL", str(home / "journal"))
        environment.setenv("PYTHONPATH", f"{DAGS}:{JOURNAL}")
        with Plane(settings) as plane, plane.client() as http:
            return run_the_dags(AirflowRest(http), told)


@pytest.fixture(scope="package")
def by_plane(receivers: ExitStack) -> Told:
    """What the plane sends."""
    return new_receivers(receivers)


@pytest.fixture(scope="package")
def by_site(receivers: ExitStack) -> Told:
    """What the site sends."""
    return new_receivers(receivers)


@pytest.fixture(scope="package")
def observed_plane(directory: Path, by_plane: Told) -> Iterator[Plane]:
    options = {**by_plane.options(), "scheduler": SCHEDULER}
    settings = plane_settings(home=directory / "observed", interpreter=observed().plane, options=options)
    with Plane(settings) as running:
        yield running


@pytest.fixture(scope="package")
def deployment(
    directory: Path, locally: Told, observed_plane: Plane, by_plane: Told, by_site: Told
) -> Iterator[Deployment]:
    """A plane and an agent that have run the Dags. Started after LocalExecutor's plane has ended."""
    variables = {**by_site.variables(), "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1"}
    site = run_site(
        directory / "told", observed_plane, name="told", dags=DAGS, site=variables, tasks=observed().tasks
    )
    with site as (agent, home), observed_plane.client() as http:
        rest = AirflowRest(http)
        run = run_the_dags(rest, by_plane, by_site)
        assert run.state == "success", run
        yield Deployment(plane=observed_plane, agent=agent, site=home, rest=rest)
