"""What waits, waits on the agent: deferral, triggers that read, assets, watchers, people."""

from __future__ import annotations

import pytest

from support.deployment import Deployment


@pytest.fixture(scope="module", autouse=True)
def dags_are_on_the_plane(deployment: Deployment) -> None:
    deployment.rest.wait_for_dags(
        [
            "deferrable",
            "xcom_from_trigger",
            "start_from_trigger",
            "template_of_a_trigger",
            "asset_watcher",
            "human",
        ]
    )


def test_a_deferred_task_waits_on_the_triggerer_and_resumes(deployment: Deployment) -> None:
    assert deployment.rest.run("deferrable").state == "success"


def test_a_trigger_reads_an_xcom_that_never_left_the_site(deployment: Deployment) -> None:
    assert deployment.rest.run("xcom_from_trigger").state == "success"
    assert deployment.journal("trigger_read")[-1]["length"] == len("SECRET-XCOM-for-the-trigger")


def test_a_task_may_start_from_its_trigger(deployment: Deployment) -> None:
    assert deployment.rest.run("start_from_trigger").state == "success"
    assert deployment.journal("started_from_trigger")
    assert not deployment.journal("never_executed")


def test_a_trigger_that_starts_before_its_task_renders_the_template_of_the_dags_own_text(
    deployment: Deployment,
) -> None:
    run = deployment.rest.run("template_of_a_trigger")
    assert run.state == "success"
    assert deployment.journal("rendered_by_the_trigger")[-1]["run"] == f"of {run.run_id}"


def test_an_asset_event_starts_the_dag_that_waits_for_it(deployment: Deployment) -> None:
    deployment.rest.unpause("asset_consumer")
    assert deployment.rest.run("asset_producer").state == "success"
    assert deployment.wait_for_journal("used")["events"] == 1


def test_a_watcher_on_the_agent_starts_a_dag_when_its_event_fires(deployment: Deployment) -> None:
    deployment.rest.unpause("asset_watcher")
    (deployment.site / "watched").touch()
    deployment.wait_for_journal("watched")


def test_a_person_approves_and_the_task_goes_on(deployment: Deployment) -> None:
    run_id = deployment.rest.trigger("human")
    path = f"/dags/human/dagRuns/{run_id}/taskInstances/approve/-1/hitlDetails"

    # Airflow loses an answer that comes between the question and the moment its task has settled down to wait.
    deployment.rest.wait_for_task("human", run_id, "approve", ["awaiting_input"])
    deployment.rest.send("PATCH", path, {"chosen_options": ["Approve"], "params_input": {}})
    assert deployment.rest.wait_for_run("human", run_id).state == "success"
