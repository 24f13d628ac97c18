"""Rules of a site's owner: what they refuse does not run, and the plane shows which rule it was."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.airflow_rest import eventually
from support.deployment import Deployment, run_site

DAGS = Path(__file__).parent / "dags_ruled"

RULES = """
dags = ["ruled*"]
operators = ["airflow.providers.standard.decorators.*"]
commands = ["stop_attempt"]
triggers = ["acme.*"]
live_logs = false

[params.ruled]
type = "object"
additionalProperties = false
properties.day = { type = "string" }
"""


@pytest.fixture(scope="module")
def rules(directory: Path) -> Path:
    file = directory / "rules.toml"
    file.write_text(RULES)
    return file


@pytest.fixture(scope="module")
def ruled(deployment: Deployment, directory: Path, rules: Path) -> Iterator[Deployment]:
    """A site with rules in a file."""
    home = directory / "ruled"
    options = {"rules_file": str(rules)}
    site = run_site(home, deployment.plane, name="ruled", bundle="ruled", dags=DAGS, options=options)
    with site as (agent, place):
        deployment.rest.wait_for_dags(["ruled", "ruled_shell", "ruled_wait"])
        yield Deployment(deployment.plane, agent, place, deployment.rest)


def events(ruled: Deployment, action: str) -> list[dict[str, Any]]:
    with ruled.plane.client() as http:
        answer = http.get("/tradewind/v1/events", params={"action": action})
        assert answer.is_success, answer.text
        return list(answer.json()["items"])


def refusals(ruled: Deployment) -> list[str]:
    return [event["detail"]["rule"] for event in events(ruled, "work_refused")]


def test_a_run_whose_parameters_fit_runs(ruled: Deployment) -> None:
    assert ruled.rest.run("ruled", conf={"day": "2026-06-01"}).state == "success"
    assert len(ruled.journal("ruled")) == 1


def test_a_run_whose_parameters_do_not_fit_fails_before_its_code(ruled: Deployment) -> None:
    run = ruled.rest.run("ruled", conf={"day": "2026-06-01", "more": "SECRET-PARAMETER"})
    assert run.state == "failed"
    assert ruled.journal("ruled", run=run.run_id) == []
    assert "params.ruled" in refusals(ruled)
    (event,) = [each for each in events(ruled, "work_refused") if run.run_id in each["subject"]]
    assert "the site's rule 'params.ruled' refuses it" in event["reason"]
    assert "SECRET-PARAMETER" not in json.dumps(event)
    told = ruled.rest.get("/eventLogs", dag_id="ruled", run_id=run.run_id, limit=50)["event_logs"]
    assert any("'params.ruled'" in (each["extra"] or "") for each in told)


def test_an_operator_that_no_rule_names_does_not_run(ruled: Deployment) -> None:
    run = ruled.rest.run("ruled_shell")
    assert run.state == "failed"
    assert ruled.journal("shell") == []
    eventually(lambda: "operators" in refusals(ruled), timeout=30, what="the refusal is an event")


def test_a_trigger_that_no_rule_names_fails_its_task(ruled: Deployment) -> None:
    run = ruled.rest.run("ruled_wait")
    assert run.state == "failed"
    (event,) = [each for each in events(ruled, "work_refused") if each["subject"].startswith("trigger:")]
    assert event["subject"] == f"trigger:ruled_wait.wait [{run.run_id}]"
    assert (event["actor"], event["detail"]["rule"]) == ("agent:ruled", "triggers")


def test_a_log_that_a_user_opens_is_not_shown(ruled: Deployment) -> None:
    run = ruled.rest.run("ruled", conf={"day": "2026-06-01"})
    path = f"/dags/ruled/dagRuns/{run.run_id}/taskInstances/say/logs/1"
    for _ in range(2):
        assert "this site does not show its logs elsewhere" in json.dumps(ruled.rest.get(path))
    (event,) = events(ruled, "log_refused")
    assert event["subject"] == f"log:ruled.say [{run.run_id}, try 1]"
    assert (event["actor"], event["detail"]["rule"]) == ("agent:ruled", "live_logs")


def test_a_command_that_no_rule_names_is_not_done(ruled: Deployment) -> None:
    with ruled.plane.client() as http:
        agents = http.get("/tradewind/v1/agents").json()["items"]
        (mine,) = [each["id"] for each in agents if each["name"] == "ruled"]
        answer = http.post(f"/tradewind/v1/agents/{mine}/slots", json={"environment": "default", "slots": 1})
        assert answer.is_success, answer.text
    eventually(lambda: bool(events(ruled, "command_refused")), timeout=30, what="the refusal is an event")
    (event,) = events(ruled, "command_refused")
    assert "'set_slots'" in event["reason"]


def test_changed_rules_count_without_a_restart(ruled: Deployment, rules: Path) -> None:
    log = ruled.agent.settings.home / "agent.log"

    def change(text: str, action: str) -> None:
        before = log.read_text().count(action)
        rules.write_text(text)  # at which the agent looks once a second
        eventually(
            lambda: log.read_text().count(action) > before, timeout=60, what=f"the agent logs {action}"
        )

    change('dags = ["other"]', "rules_read")
    assert ruled.rest.run("ruled").state == "failed"
    assert "dags" in refusals(ruled)
    change("dags = [", "rules_broken")
    assert ruled.rest.run("ruled").state == "failed", (
        "a file that cannot be read leaves the old rules in force"
    )
    change(RULES, "rules_read")
    assert ruled.rest.run("ruled").state == "success"


def test_rules_are_tried_against_the_ledger(ruled: Deployment, directory: Path) -> None:
    new = directory / "new.toml"
    new.write_text('dags = ["!ruled_shell"]')
    state = next((directory / "ruled" / "agent").rglob("ledger")).parent
    command = [sys.executable, "-m", "tradewind_agent", "rules", "try", "-o", "json"]
    done = subprocess.run(
        [*command, "--rules-file", str(new), "--state-dir", str(state)], capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    read = json.loads(done.stdout)
    assert [(one["rule"], one["work"]) for one in read["refusals"]] == [("dags", "ruled_shell.shell")]
    assert read["work"] > read["refused"]
