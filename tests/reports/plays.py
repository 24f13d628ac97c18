"""What a person does with the Dags of a scenario while they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports import records
from reports.progress import Progress
from reports.scenarios import Scenario
from support.airflow_rest import ENDED, AirflowRest

LOGICAL_DATE = "2026-03-02T00:00:00Z"
RUN = "reported"


@dataclass(frozen=True)
class Stage:
    """One scenario on one side."""

    rest: AirflowRest
    scenario: Scenario
    journal: Path
    progress: Progress

    def trigger(self, dag_id: str, run_id: str = RUN, logical_date: str | None = LOGICAL_DATE) -> str:
        date = logical_date if self.scenario.logical_date else None
        return self.rest.trigger(dag_id, conf=self.scenario.conf, logical_date=date, dag_run_id=run_id)

    def written(self, event: str, dag_id: str) -> list[Mapping[str, Any]]:
        return [
            each for each in records.entries(self.journal) if (each["event"], each["dag"]) == (event, dag_id)
        ]

    def wait_for(self, event: str, dag_id: str, count: int = 1) -> None:
        self.progress.wait_for(
            lambda: len(self.written(event, dag_id)) >= count, f"{dag_id} has written {event} {count} times"
        )

    def wait_for_the_run(self, dag_id: str) -> None:
        self.progress.wait_for(lambda: self.rest.run_state(dag_id, RUN) in ENDED, f"{dag_id} has ended")

    def clear(self, dag_id: str, **body: Any) -> None:
        whole = {"dry_run": False, "dag_run_id": RUN, "only_failed": False, **body}
        self.rest.send("POST", f"/dags/{dag_id}/clearTaskInstances", whole)

    def mark(self, dag_id: str, task_id: str, state: str) -> None:
        path = f"/dags/{dag_id}/dagRuns/{RUN}/taskInstances/{task_id}"
        self.rest.send("PATCH", path, {"new_state": state})


def trigger(stage: Stage) -> None:
    """Each Dag once."""
    for dag_id in stage.scenario.triggers:
        stage.trigger(dag_id)


def trigger_asset_consumers_too(stage: Stage) -> None:
    """The Dags that assets or a schedule start are unpaused before the others are triggered."""
    for dag_id in stage.scenario.ends.keys() - set(stage.scenario.triggers):
        stage.rest.unpause(dag_id)
    trigger(stage)


def trigger_twice(stage: Stage) -> None:
    """Two runs, one after the other, of dates one day apart."""
    for dag_id in stage.scenario.triggers:
        stage.trigger(dag_id)
        stage.wait_for_the_run(dag_id)
        stage.trigger(dag_id, "reported_again", "2026-03-03T00:00:00Z")


def unpause(stage: Stage) -> None:
    """Only unpaused: the schedule does the rest."""
    for dag_id in stage.scenario.ends:
        stage.rest.unpause(dag_id)


def mark_failed_while_running(stage: Stage) -> None:
    """The task `works` is marked as failed once it has written `works`."""
    for dag_id in stage.scenario.triggers:
        stage.trigger(dag_id)
    for dag_id in stage.scenario.triggers:
        stage.wait_for("works", dag_id)
        stage.mark(dag_id, "works", "failed")


def mark_success_while_running(stage: Stage) -> None:
    """The task `works` is marked as successful once it has written `works`."""
    [dag_id] = stage.scenario.triggers
    stage.trigger(dag_id)
    stage.wait_for("works", dag_id)
    stage.mark(dag_id, "works", "success")


def clear_while_running(stage: Stage) -> None:
    """The task `works` is cleared once it has written `works`; its second try ends by itself."""
    [dag_id] = stage.scenario.triggers
    stage.trigger(dag_id)
    stage.wait_for("works", dag_id)
    stage.clear(dag_id, task_ids=["works"])


def clear_after_the_end(stage: Stage) -> None:
    """The run ends; the task `works` is cleared with what belongs to it, and all of it runs again."""
    [dag_id] = stage.scenario.triggers
    stage.trigger(dag_id)
    stage.wait_for_the_run(dag_id)
    stage.clear(dag_id, task_ids=["works"], include_downstream=True)


def add_a_pool(stage: Stage) -> None:
    """A pool of two slots named after the scenario, then each Dag once."""
    body = {"name": stage.scenario.name, "slots": 2, "include_deferred": False}
    stage.rest.send("POST", "/pools", body)
    trigger(stage)


PLAYS: Mapping[str, Callable[[Stage], None]] = {
    each.__name__: each
    for each in (
        trigger,
        trigger_asset_consumers_too,
        trigger_twice,
        unpause,
        mark_failed_while_running,
        mark_success_while_running,
        clear_while_running,
        clear_after_the_end,
        add_a_pool,
    )
}
