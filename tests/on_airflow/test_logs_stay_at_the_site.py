"""A log opened in Airflow comes from the agent while somebody reads, and nothing of it stays on the plane."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.airflow_rest import AirflowRest, eventually
from support.deployment import Deployment, run_site
from support.installed import plane_settings
from tradewind.embedded import plane

DAGS = ["talking", "talking_much", "talking_long", "talking_deferred"]


@pytest.fixture(scope="module")
def two_servers(directory: Path, database_server: Any) -> Iterator[Deployment]:
    """Two API servers: the agent speaks to the first, people to the second."""
    settings = plane_settings(
        home=directory / "logs-plane",
        database=database_server.new_database() if database_server else None,
        api_servers=2,
        options={
            "scheduler": {"scheduler_idle_sleep_time": "0.5", "scheduler_heartbeat_sec": "2"},
            "tradewind": {"live_log_bytes": "2000000"},
        },
    )
    with plane.Plane(settings) as running:
        with run_site(directory / "logs-site", running) as (agent, site):
            with running.client(port=running.ports[1]) as http:
                found = Deployment(plane=running, agent=agent, site=site, rest=AirflowRest(http))
                found.rest.wait_for_dags(DAGS)
                yield found


def log_of(there: Deployment, dag_id: str, run_id: str, task_id: str, **params: Any) -> dict[str, Any]:
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/1"
    return dict(there.rest.get(path, **params))


def words(log: dict[str, Any]) -> list[str]:
    return [str(line["event"]) for line in log["content"]]


def on_the_plane(there: Deployment, text: str) -> list[Path]:
    files = [path for path in there.plane.home.rglob("*") if path.is_file()]
    return [path for path in files if text.encode() in path.read_bytes()]


def test_a_running_tasks_log_is_followed_and_a_finished_ones_is_read_from_the_site(
    two_servers: Deployment,
) -> None:
    run_id = two_servers.rest.trigger("talking")
    two_servers.rest.wait_for_task("talking", run_id, "talk", ["running"])
    eventually(
        lambda: "first words" in words(log_of(two_servers, "talking", run_id, "talk")),
        timeout=30,
        what=lambda: f"the first words are shown: {words(log_of(two_servers, 'talking', run_id, 'talk'))}",
    )
    first = log_of(two_servers, "talking", run_id, "talk")
    assert "last words" not in words(first)
    assert first["continuation_token"]
    assert not [each for each in words(first) if "Could not read served logs" in each], words(first)

    (two_servers.site / "watched-go").touch()
    assert two_servers.rest.wait_for_run("talking", run_id).state == "success"
    more = log_of(two_servers, "talking", run_id, "talk", token=first["continuation_token"])
    assert "last words" in words(more)
    assert "first words" not in words(more), "what was shown is not shown again"
    whole = words(log_of(two_servers, "talking", run_id, "talk"))
    assert "first words" in whole and "last words" in whole
    assert any("agent site:" in each and "task-logs" in each for each in whole), "says where it comes from"
    assert on_the_plane(two_servers, "first words") == []


def test_of_a_log_too_large_to_show_head_and_end_are_shown_and_pages_between(two_servers: Deployment) -> None:
    run = two_servers.rest.run("talking_much")
    assert run.state == "success"
    shown = words(log_of(two_servers, "talking_much", run.run_id, "talk_much"))
    numbered = [each for each in shown if each.startswith("line ")]
    assert numbered[0].startswith("line 000000") and numbered[-1].startswith("line 019999")
    assert 2_000 < len(numbered) < 20_000
    seen = {each[:11] for each in numbered}
    (told,) = [each for each in shown if "bytes of the log are not shown here" in each]
    while told:
        page = [str(line["event"]) for line in two_servers.rest.http.get(told.split()[-1]).json()["content"]]
        seen |= {each[:11] for each in page if each.startswith("line ")}
        told = next(
            (each for each in page[1:] if "not shown here" in each and "from byte 0 on" not in each), ""
        )
    assert len(seen) == 20_000, "the pages between have every line"
    assert on_the_plane(two_servers, "line 000100") == []


def test_a_line_of_megabytes_is_shown_as_one_line(two_servers: Deployment) -> None:
    run = two_servers.rest.run("talking_long")
    assert run.state == "success"
    shown = words(log_of(two_servers, "talking_long", run.run_id, "talk_long"))
    (long,) = [each for each in shown if len(each) > 10_000]
    assert long == "long " + "0123456789" * 120_000
    assert not [each for each in shown if each.startswith('{"')], "no line is cut into raw JSON"


def test_the_log_of_a_task_that_waits_has_its_triggers_words(two_servers: Deployment) -> None:
    run_id = two_servers.rest.trigger("talking_deferred")
    two_servers.rest.wait_for_task("talking_deferred", run_id, "defers", ["deferred"])
    eventually(
        lambda: "words of the trigger" in words(log_of(two_servers, "talking_deferred", run_id, "defers")),
        timeout=30,
        what=lambda: words(log_of(two_servers, "talking_deferred", run_id, "defers")),
    )
    shown = words(log_of(two_servers, "talking_deferred", run_id, "defers"))
    assert not [each for each in shown if "HTTPConnection" in each], (
        "the plane connects to no host an agent named"
    )
    (two_servers.site / "watched-go-trigger").touch()
    assert two_servers.rest.wait_for_run("talking_deferred", run_id).state == "success"
    said = [
        each
        for each in words(log_of(two_servers, "talking_deferred", run_id, "defers"))
        if each.startswith("words")
    ]
    assert said == ["words before the trigger", "words of the trigger", "words after the trigger"]


def test_a_reader_who_may_not_see_the_dag_sees_no_log(two_servers: Deployment) -> None:
    run_id = two_servers.rest.get("/dags/talking/dagRuns")["dag_runs"][0]["dag_run_id"]
    path = f"/api/v2/dags/talking/dagRuns/{run_id}/taskInstances/talk/logs/1"
    assert httpx.get(two_servers.plane.url + path, timeout=30).status_code == 401


def test_when_the_agent_is_gone_the_log_says_where_it_is(two_servers: Deployment) -> None:
    run_id = two_servers.rest.get("/dags/talking/dagRuns")["dag_runs"][0]["dag_run_id"]
    two_servers.agent.stop()
    eventually(
        lambda: any(
            "The log is at the site of agent site" in each and "gone since" in each
            for each in words(log_of(two_servers, "talking", run_id, "talk"))
        ),
        timeout=60,
        what=lambda: words(log_of(two_servers, "talking", run_id, "talk")),
    )
