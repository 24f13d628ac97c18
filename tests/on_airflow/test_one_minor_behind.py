"""A site is upgraded after its plane: tasks run with the Airflow minor before the plane's."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from support import installed
from support.airflow_rest import eventually
from support.deployment import JOURNAL, Deployment, run_site
from support.environments import environment_behind

DAGS = Path(__file__).parent / "dags_of_minors"
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def site(deployment: Deployment, directory: Path) -> Iterator[Deployment]:
    """Its Dag processor and its triggerer have the plane's Airflow; one of its workers has the one before."""
    home = directory / "behind"
    home.mkdir()
    variables = {
        "SITE_JOURNAL": str(home / "journal"),
        "PYTHONPATH": JOURNAL,
        "AIRFLOW_CONN_SITE_HTTP": "http://user:SECRET-CONNECTION-password@127.0.0.1:1",
        "AIRFLOW_VAR_SITE_VARIABLE": "SECRET-VARIABLE-value",
    }
    older = str(environment_behind())
    options = {
        "environments": [
            {
                "name": "newer",
                "interpreter": str(installed.environments().tasks),
                "queues": ["newer-queue"],
                "env": variables,
            },
            {"name": "older", "interpreter": older, "queues": ["older-queue"], "env": variables},
        ]
    }
    with run_site(home, deployment.plane, name="behind", bundle="behind", dags=DAGS, options=options) as (
        agent,
        place,
    ):
        made = Deployment(deployment.plane, agent, place, deployment.rest)
        made.rest.wait_for_dags(["older"])
        yield made


def described(site: Deployment) -> dict[str, Any]:
    answer = site.rest.http.get("/tradewind/v1/agents", params={"name": "behind"})
    answer.raise_for_status()
    [agent] = answer.json()["items"]
    return dict(agent)


def test_what_tasks_do_works_with_the_minor_before(site: Deployment) -> None:
    eventually(lambda: described(site)["state"] == "healthy", timeout=120, what=lambda: str(described(site)))
    run = site.rest.run("older", timeout=240)
    assert run.state == "success", run
    assert run.tries[("summed", -1)] == 2
    assert run.state_of("waits") == "success"
    assert run.state_of("never") == "skipped"
    [ran] = site.journal("ran")
    assert ran["airflow"].startswith("3.2.")
    assert version("apache-airflow-core").startswith("3.3."), "of the plane"


def test_components_that_need_the_planes_minor_say_so(deployment: Deployment, directory: Path) -> None:
    home = directory / "behind-whole"
    options = {
        "environments": [
            {"name": "older", "interpreter": str(environment_behind()), "queues": ["older-queue"]}
        ]
    }
    with run_site(
        home, deployment.plane, name="behind-whole", bundle="behind-whole", dags=DAGS, options=options
    ):

        def findings() -> str:
            answer = deployment.rest.http.get("/tradewind/v1/agents", params={"name": "behind-whole"})
            return str([one["findings"] for one in answer.json()["items"]])

        for component in ("dag processor", "triggerer"):
            sentence = f"a {component} needs Airflow 3.3"
            eventually(lambda sentence=sentence: sentence in findings(), timeout=120, what=findings)
            assert f"{component.replace(' ', '_')}_environment" in findings()
