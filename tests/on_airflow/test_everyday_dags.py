"""What most Dags do runs on an agent as it does anywhere else."""

from __future__ import annotations

import pytest

from support.airflow_rest import eventually
from support.deployment import Deployment

ALL_DAGS = [
    "asset_consumer",
    "asset_producer",
    "asset_watcher",
    "async_deadline",
    "branching",
    "callbacks",
    "dated",
    "deadline",
    "deferrable",
    "hello",
    "human",
    "long",
    "mapped",
    "parameters",
    "pools",
    "reschedule",
    "retries",
    "retry_policy",
    "setup_teardown",
    "start_from_trigger",
    "stores",
    "xcom",
    "xcom_from_trigger",
]


@pytest.fixture(scope="module", autouse=True)
def dags_are_on_the_plane(deployment: Deployment) -> None:
    deployment.rest.wait_for_dags(ALL_DAGS)


def test_a_task_runs_on_the_agent(deployment: Deployment) -> None:
    run = deployment.rest.run("hello")
    assert run.state == "success"
    [said] = deployment.journal("hello", run=run.run_id)
    assert said["pid"] != deployment.agent.process.pid


def test_what_agents_and_tasks_ask_goes_the_short_way_through_airflow(deployment: Deployment) -> None:
    assert deployment.rest.run("hello").state == "success"
    log = deployment.plane.api_servers[0].log.read_text()
    assert "path=/api/v2/dags" in log, "Airflow's access log has lines for people's requests"
    assert "path=/remote-execution/v1/" not in log
    assert "long way" not in log


def test_xcom_goes_from_task_to_task_through_the_sites_own_storage(deployment: Deployment) -> None:
    assert deployment.rest.run("xcom").state == "success"
    [consumed] = deployment.journal("consumed")
    assert consumed["answer"] == 42
    assert consumed["words"] == ["SECRET-XCOM-alpha", "beta"]
    assert consumed["whole"] == {"answer": 42, "words": ["SECRET-XCOM-alpha", "beta"]}


def test_mapped_tasks_and_mapped_groups_fan_out_and_in(deployment: Deployment) -> None:
    run = deployment.rest.run("mapped")
    assert run.state == "success"
    assert {index for task, index in run.tasks if task == "double"} == {0, 1, 2}
    assert sorted(entry["total"] for entry in deployment.journal("total")) == [12, 15]


def test_a_task_is_retried_by_airflows_rule(deployment: Deployment) -> None:
    run = deployment.rest.run("retries")
    assert run.state == "success"
    assert [entry["attempt"] for entry in deployment.journal("flaky")] == [1, 2, 3]
    assert run.tries[("flaky", -1)] == 3


def test_what_became_of_the_task_and_of_its_process_are_two_words(deployment: Deployment) -> None:
    """The process of a task that fails exits as it should; each try says in which state it left the task."""
    run = deployment.rest.run("retry_policy")
    with deployment.plane.client() as http:

        def ends(task_id: str) -> list[tuple[str, str | None, int | None]]:
            found = http.get("/tradewind/v1/attempts", params={"run_id": run.run_id, "limit": 100})
            tries = sorted(found.json()["items"], key=lambda one: one["created_at"])
            return [
                (one["process"], one["task_state"], one["exit_code"])
                for one in tries
                if one["task_id"] == task_id
            ]

        eventually(lambda: all(end[0] for end in ends("bad_line")), timeout=30, what="both have ended")
        assert ends("bad_line") == [("exited", "up_for_retry", 0), ("exited", "success", 0)]
        assert ends("bad_data") == [("exited", "failed", 0)]
    told = (deployment.agent.settings.home / "agent.log").read_text()
    assert "task_state" in told and "succeeded" not in told


def test_a_retry_policy_decides_by_the_exception(deployment: Deployment) -> None:
    run = deployment.rest.run("retry_policy")
    assert run.state_of("bad_data") == "failed"
    assert run.tries[("bad_data", -1)] == 1
    assert run.state_of("bad_line") == "success"
    assert run.tries[("bad_line", -1)] == 2


def test_branches_and_short_circuits_skip_what_they_should(deployment: Deployment) -> None:
    run = deployment.rest.run("branching")
    assert run.state_of("left") == "success"
    assert run.state_of("right") == "skipped"
    assert run.state_of("never") == "skipped"


def test_clearing_a_skipped_task_does_not_run_it(deployment: Deployment) -> None:
    # The plane's scheduler reads the branch's control XCom here, so it must be there in the clear.
    run = deployment.rest.run("branching")
    deployment.rest.send(
        "POST",
        "/dags/branching/clearTaskInstances",
        {"dry_run": False, "dag_run_id": run.run_id, "task_ids": ["right"], "only_failed": False},
    )
    again = deployment.rest.wait_for_run("branching", run.run_id)
    assert again.state_of("right") == "skipped"


def test_teardown_runs_after_a_failure(deployment: Deployment) -> None:
    run = deployment.rest.run("setup_teardown")
    assert run.state_of("use_it") == "failed"
    assert run.state_of("close_it") == "success"
    assert deployment.journal("teardown")


def test_a_sensor_in_reschedule_mode_gives_its_slot_back_between_pokes(deployment: Deployment) -> None:
    assert deployment.rest.run("reschedule").state == "success"
    pokes = deployment.journal("poked")
    assert len({entry["pid"] for entry in pokes}) == len(pokes) >= 2


def test_a_run_sees_the_parameters_it_was_triggered_with(deployment: Deployment) -> None:
    deployment.rest.run("parameters", conf={"colour": "green"})
    assert deployment.journal("colour")[-1]["colour"] == "green"


def test_a_pool_of_one_runs_one_at_a_time_by_priority(deployment: Deployment) -> None:
    deployment.rest.send("POST", "/pools", {"name": "one_at_a_time", "slots": 1})
    assert deployment.rest.run("pools").state == "success"
    events = sorted(
        [*deployment.journal("pool_start"), *deployment.journal("pool_end")], key=lambda entry: entry["at"]
    )
    assert [entry["event"] for entry in events] == ["pool_start", "pool_end"] * 3
    assert [entry["n"] for entry in events[::2]] == [2, 1, 0]


def test_a_backfill_runs_each_day(deployment: Deployment) -> None:
    body = {"dag_id": "dated", "from_date": "2026-01-05T00:00:00Z", "to_date": "2026-01-07T00:00:00Z"}
    wish = {**body, "reprocess_behavior": "none", "max_active_runs": 3}

    def taken() -> bool:
        answer = deployment.rest.http.post("/api/v2/backfills", json=wish)
        assert answer.is_success or answer.status_code == 503, answer.text
        return answer.is_success

    # Airflow says 503 while SQLite has no moment for it, and takes back what it made by then. Its scheduler may end when
    # that meets runs it is looking at, which it does for Dags that are not paused.
    eventually(taken, timeout=30, what="SQLite has a moment for it")
    deployment.rest.unpause("dated")
    for day in ("2026-01-05", "2026-01-06", "2026-01-07"):
        deployment.wait_for_journal("day", day=day)
