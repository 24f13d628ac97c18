"""One agent, several task environments: a queue leads to an interpreter, and one that cannot work says why."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.airflow_rest import eventually
from support.deployment import JOURNAL, Deployment, run_site, site_key
from support.environments import virtualenv

DAGS = Path(__file__).parent / "dags_routed"


@pytest.fixture(scope="module")
def routed(deployment: Deployment, directory: Path) -> Iterator[Deployment]:
    home = directory / "routed"
    home.mkdir()
    variables = {"SITE_JOURNAL": str(home / "journal"), "PYTHONPATH": JOURNAL}

    def environment(name: str, interpreter: Path) -> dict[str, Any]:
        return {"name": name, "interpreter": str(interpreter), "queues": [f"{name}-queue"], "env": variables}

    options = {
        "environments": [
            environment("dark", virtualenv(home / "dark", packages={"shades": "1.0"})),
            environment("light", virtualenv(home / "light", packages={"shades": "2.5"})),
            environment("absent", home / "no-such" / "python"),
            environment("bare", virtualenv(home / "bare", airflow=False)),
            environment("older", virtualenv(home / "older", packages={"apache-airflow-core": "3.1.7"})),
        ],
        "site_key_file": site_key(directory),
    }
    site = run_site(home, deployment.plane, name="routed", bundle="routed", dags=DAGS, options=options)
    with site as (agent, site_home):
        made = Deployment(deployment.plane, agent, site_home, deployment.rest)
        made.rest.wait_for_dags(["colours", "nobody_comes"])
        yield made


def environments(routed: Deployment) -> dict[str, dict[str, Any]]:
    [found] = [each for each in agents(routed) if each["name"] == "routed"]
    return {each["name"]: each for each in found["environments"]}


def agents(routed: Deployment) -> list[dict[str, Any]]:
    answer = routed.rest.http.get("/tradewind/v1/agents")
    answer.raise_for_status()
    return list(answer.json()["items"])


def test_two_environments_of_one_agent_have_different_versions_of_a_package(routed: Deployment) -> None:
    assert routed.rest.run("colours").state == "success"
    assert {entry["queue"]: entry["version"] for entry in routed.journal("shade")} == {
        "dark": "1.0",
        "light": "2.5",
    }


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("absent", ("no-such/python cannot be started", "No such file")),
        ("bare", ("has no tradewind-runtime",)),
        ("older", ("Airflow 3.1.7", "more than one minor behind")),
    ],
)
def test_an_environment_that_cannot_work_says_why_and_the_others_work(
    routed: Deployment, name: str, words: tuple[str, ...]
) -> None:
    def problem() -> str:
        return str(environments(routed)[name]["problem"])

    eventually(lambda: bool(problem()), timeout=60, what=f"environment {name} has a problem")
    for each in words:
        assert each in problem()
    [agent] = [each for each in agents(routed) if each["name"] == "routed"]
    assert agent["state"] == "degraded"
    assert [each["remedy"] for each in agent["findings"] if name in each["check"]]


def test_work_for_a_queue_nobody_serves_waits_and_says_so(routed: Deployment, directory: Path) -> None:
    run_id = routed.rest.trigger("nobody_comes")

    def warning() -> str:
        found = routed.rest.http.get("/tradewind/v1/queues").json()["items"]
        return next((each["warning"] for each in found if each["queue"] == "late-queue"), "")

    eventually(
        lambda: "no agent of this site serves the queue" in warning(),
        timeout=30,
        what=lambda: f"said: {warning()!r}",
    )
    assert routed.rest.task_state("nobody_comes", run_id, "waits") == "queued"
    late = run_site(
        directory / "late",
        routed.plane,
        name="late",
        bundle="routed",
        dags=DAGS,
        queues=["late-queue"],
        components=["worker"],
        options={"site_key_file": site_key(directory)},
    )
    with late:
        assert routed.rest.wait_for_run("nobody_comes", run_id).state == "success"
        assert warning() == ""
