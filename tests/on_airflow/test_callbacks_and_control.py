"""Callbacks run at the site, and what a person does in the UI reaches a running task within seconds."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from support.airflow_rest import eventually
from support.deployment import Deployment
from support.proc import is_alive


@pytest.fixture(scope="module", autouse=True)
def dags_are_on_the_plane(deployment: Deployment) -> None:
    deployment.rest.wait_for_dags(
        ["callbacks", "deadline", "async_deadline", "notifies", "notifies_on_the_triggerer", "long", "stores"]
    )


def test_task_and_run_callbacks_run_at_the_site(deployment: Deployment) -> None:
    run = deployment.rest.run("callbacks")
    assert run.state == "failed"
    assert deployment.journal("task_execute_callback", task="fine")
    assert deployment.journal("task_success_callback", task="fine")
    assert deployment.journal("task_skipped_callback", task="skipped")
    assert len(deployment.journal("task_retry_callback", task="broken")) == 1
    assert len(deployment.journal("task_failure_callback", task="broken")) == 1
    deployment.wait_for_journal("run_failure_callback", run=run.run_id)


def test_a_missed_deadline_calls_back_on_an_agent(deployment: Deployment) -> None:
    deployment.rest.trigger("deadline")
    assert deployment.wait_for_journal("deadline_callback", timeout=90)["text"] == "late"
    told = (deployment.plane.home / "logs" / "api-server-1.log").read_text()
    assert "are not refreshed" not in told, "Dags with deadlines are refreshed as they are unpaused, too"


def test_a_missed_deadline_calls_back_on_the_sites_triggerer(deployment: Deployment) -> None:
    deployment.rest.trigger("async_deadline")
    assert deployment.wait_for_journal("async_deadline_callback", timeout=90)["text"] == "late"


@pytest.mark.parametrize(
    ("dag", "event"),
    [("notifies", "notified"), ("notifies_on_the_triggerer", "notified_on_the_triggerer")],
)
def test_a_notifier_renders_the_template_of_the_dags_own_text(
    deployment: Deployment, dag: str, event: str
) -> None:
    deployment.rest.trigger(dag)
    assert deployment.wait_for_journal(event, timeout=90)["text"] == "42 is late"


def test_a_task_keeps_its_state_between_tries(deployment: Deployment) -> None:
    assert deployment.rest.run("stores").state == "success"
    assert [entry["value"] for entry in deployment.journal("remembered")] == [None, "SECRET-STATE-handle"]


@pytest.mark.parametrize("state", ["failed", "success"])
def test_marking_a_running_task_stops_it_within_seconds(deployment: Deployment, state: str) -> None:
    before = len(deployment.journal("sleeper_start"))
    run_id = deployment.rest.trigger("long")
    eventually(lambda: len(deployment.journal("sleeper_start")) > before, timeout=60, what="the task runs")
    pid = deployment.journal("sleeper_start")[-1]["pid"]
    asked = time.monotonic()
    deployment.rest.send("PATCH", f"/dags/long/dagRuns/{run_id}/taskInstances/sleeper", {"new_state": state})
    eventually(lambda: not is_alive(pid), timeout=30, what="the user's process is gone")
    assert time.monotonic() - asked < 20
    assert deployment.rest.wait_for_run("long", run_id).state == state


def test_clearing_a_running_task_stops_it_and_runs_it_again(deployment: Deployment) -> None:
    run_id = deployment.rest.trigger("long")
    before = len(deployment.journal("sleeper_start"))
    eventually(lambda: len(deployment.journal("sleeper_start")) > before, timeout=60, what="the task runs")
    first = deployment.journal("sleeper_start")[-1]["pid"]
    body = {"dry_run": False, "dag_run_id": run_id, "task_ids": ["sleeper"], "only_failed": False}
    deployment.rest.send("POST", "/dags/long/clearTaskInstances", body)
    eventually(lambda: not is_alive(first), timeout=30, what="the first try is gone")
    eventually(
        lambda: len(deployment.journal("sleeper_start")) > before + 1, timeout=60, what="it runs again"
    )
    deployment.rest.send(
        "PATCH", f"/dags/long/dagRuns/{run_id}/taskInstances/sleeper", {"new_state": "success"}
    )
    deployment.rest.wait_for_run("long", run_id)


@pytest.mark.parametrize(("folder", "state"), [("", "success"), ("/no-such-folder", "failed")])
def test_a_connection_is_tested_at_the_site(deployment: Deployment, folder: str, state: str) -> None:
    path = f"{deployment.site}{folder}"
    answer = deployment.rest.send(
        "POST",
        "/connections/enqueue-test",
        {"connection_id": "folder", "conn_type": "fs", "extra": json.dumps({"path": path})},
    )
    token = answer["token"]

    def result() -> dict[str, Any]:
        found = deployment.rest.http.get(
            "/api/v2/connections/enqueue-test", headers={"Airflow-Connection-Test-Token": token}
        )
        return dict(found.json())

    eventually(
        lambda: result().get("state") in ("success", "failed"),
        timeout=60,
        what=lambda: f"the test ended, is {result()}",
    )
    assert result()["state"] == state, result()
    assert path in str(result())
