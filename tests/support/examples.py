"""Airflow's own example Dags, run once each on a plane, whoever runs the tasks."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import airflow.example_dags
import airflow.providers.standard.example_dags

from support.airflow_rest import AirflowRest, Run

LOGICAL_DATE = "2026-03-02T00:00:00Z"
"""The same for all of them: the parent and child Dags wait for each other's run of the same date."""

FOLDERS = {
    "examples": Path(airflow.example_dags.__file__).parent,
    "standard_examples": Path(airflow.providers.standard.example_dags.__file__).parent,
}

PLUGINS = FOLDERS["examples"] / "plugins"
"""Timetables and weight rules the examples bring along; a scheduler needs them installed wherever the Dags run."""

CONF: Mapping[str, Mapping[str, Any]] = {
    "example_params_ui_tutorial": {"required_field": "given by a person"}
}
"""What a person would fill in before triggering."""

LEFT_OUT = {
    "example_kubernetes_executor": "asks for KubernetesExecutor's pod overrides",
    "example_local_kubernetes_executor": "asks for KubernetesExecutor's pod overrides",
    "tutorial_taskflow_api_virtualenv": "downloads packages from an index while it runs",
    "tutorial_objectstorage": "reads from a public web service and a public bucket",
    "example_dag_decorator": "reads from a public web service",
    "example_sensors": "has sensors that wait for files and times that never come",
    "example_retry_policy": "waits five minutes for its retry",
}
"""Dags whose end depends on the world outside, with the reason."""

_TWO_NAMES = "two examples give one URI two names; Airflow lets whichever it parses first have it, by chance"

DIFFERENT: Mapping[str, str] = dict.fromkeys(
    (
        "asset_with_extra_by_context",
        "asset_with_extra_by_yield",
        "asset_with_extra_from_classic_operator",
        "read_asset_event",
        "read_asset_event_from_classic",
    ),
    _TWO_NAMES,
)
"""Dags that end one way or another wherever they run, with the reason."""

ALONE = frozenset({"example_hitl_operator"})
"""Dags that give a person a minute to answer; in the crowd of all the others that is too little."""

EVERY = 100
"""Fewer examples than this means that not all have been parsed yet."""


def bundles() -> list[dict[str, Any]]:
    """Airflow's `dag_bundle_config_list` for the two folders."""
    classpath = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return [
        {"name": name, "classpath": classpath, "kwargs": {"path": str(path)}}
        for name, path in FOLDERS.items()
    ]


def bundles_json() -> str:
    """The same as a value in airflow.cfg."""
    return json.dumps(bundles())


def wait_for_all(rest: AirflowRest, *, timeout: float) -> set[str]:
    """The ids of every example, once all files are parsed: nothing new and no error for a while."""
    deadline, seen, since = time.monotonic() + timeout, set[str](), time.monotonic()
    while time.monotonic() < deadline:
        now = set(rest.dags())
        if now != seen:
            seen, since = now, time.monotonic()
        elif EVERY <= len(seen) and time.monotonic() - since > 5:
            return seen
        time.sleep(0.5)
    raise AssertionError(f"{len(seen)} examples after {timeout:g} s; import errors: {rest.import_errors()}")


def difference(local: Run, remote: Run) -> list[str]:
    """How two runs of a Dag ended differently, in words."""
    found = [] if local.state == remote.state else [f"the run: {local.state}, on an agent {remote.state}"]
    for key in sorted(local.tasks.keys() | remote.tasks.keys()):
        one, other = local.tasks.get(key, "absent"), remote.tasks.get(key, "absent")
        if one != other:
            found.append(f"{key[0]}[{key[1]}]: {one}, on an agent {other}")
    return found


def run_all(
    rest: AirflowRest, dag_ids: Sequence[str], *, timeout: float, answers: bool = True
) -> Mapping[str, Run]:
    """Trigger all at once, answer the questions that Dags ask people, wait, and return how each ended.

    A Dag that has not ended is returned as it stands, `timeout` seconds after the last of them has: a busy machine makes
    all of them late, and none of them different.
    """
    runs = {}
    for dag_id in dag_ids:
        runs[dag_id] = rest.trigger(
            dag_id, conf=CONF.get(dag_id), logical_date=LOGICAL_DATE, dag_run_id="as_local"
        )
    left, since = runs.keys() | set[str](), time.monotonic()
    while left and time.monotonic() - since < timeout:
        if answers:
            answer_questions(rest)
        time.sleep(0.5)
        if (now := runs.keys() & unended(rest, "as_local")) != left:
            left, since = now, time.monotonic()
    return {dag_id: rest.snapshot(dag_id, run_id) for dag_id, run_id in runs.items()}


def unended(rest: AirflowRest, run_id: str) -> set[str]:
    """The Dags whose run of that id goes on."""
    going_on = rest.pages("/dags/~/dagRuns", "dag_runs", state=["queued", "running"])
    return {run["dag_id"] for run in going_on if run["dag_run_id"] == run_id}


def answer_questions(rest: AirflowRest) -> None:
    """Choose the first option of every question whose task has settled down to wait: Airflow loses an answer that is
    given in the moment between the question and that."""
    now = datetime.now(timezone.utc)
    for detail in rest.pages("/dags/~/dagRuns/~/hitlDetails", "hitl_details", response_received=False):
        ti = detail["task_instance"]
        asked = datetime.fromisoformat(detail["created_at"].replace("Z", "+00:00"))
        if ti["state"] != "awaiting_input" or (now - asked).total_seconds() < 3:
            continue
        path = (
            f"/dags/{ti['dag_id']}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/{ti['map_index']}"
        )
        rest.http.patch(
            f"/api/v2{path}/hitlDetails", json={"chosen_options": detail["options"][:1], "params_input": {}}
        )
