"""A Dag with a timetable, or a priority strategy, that only the site has: the plane says what it lacks, and takes the Dag once it is mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from on_airflow.sites.owners_code import OWNERS
from support.airflow_rest import AirflowRest, eventually
from support.deployment import run_site
from support.installed import plane_settings
from tradewind.embedded.plane import Plane

pytestmark = pytest.mark.timeout(900)

DAG = """
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from owners_plugin import FortyTwo, ThreeDays

with DAG("{dag_id}", schedule={schedule}, catchup=False):
    EmptyOperator(task_id="nothing", weight_rule={weight_rule})
"""

FILES = {
    "by_timetable.py": DAG.format(
        dag_id="by_timetable", schedule='ThreeDays("0 0 1 1 *", timezone="UTC")', weight_rule='"absolute"'
    ),
    "by_priority.py": DAG.format(dag_id="by_priority", schedule="None", weight_rule="FortyTwo()"),
}

LACKS = {
    "by_timetable.py": ("owners_plugin.ThreeDays", "`timetables`"),
    "by_priority.py": ("owners_plugin.FortyTwo", "`priority_weight_strategies`"),
}


def start(directory: Path, options: dict[str, dict[str, str]], port: int = 0) -> Plane:
    return Plane(plane_settings(home=directory / "lacking", options=options, port=port))


def test_the_error_names_the_class_and_is_gone_once_the_plane_has_it(directory: Path) -> None:
    dags = directory / "lacking-dags"
    dags.mkdir()
    for name, text in FILES.items():
        (dags / name).write_text(text)
    options: dict[str, dict[str, str]] = {"scheduler": {"scheduler_idle_sleep_time": "0.5"}}
    with start(directory, options) as plane:
        site = run_site(
            directory / "lacking-site",
            plane,
            name="lacking",
            bundle="lacking",
            dags=dags,
            site={"AIRFLOW__CORE__PLUGINS_FOLDER": str(OWNERS / "plugins")},
        )
        with site:
            with plane.client() as http:
                says_what_it_lacks(AirflowRest(http))
            plane.stop()
            mended = start(
                directory, {**options, "core": {"plugins_folder": str(OWNERS / "plugins")}}, plane.ports[0]
            )
            with mended, mended.client() as http:
                runs_both(AirflowRest(http))


def says_what_it_lacks(rest: AirflowRest) -> None:
    def errors() -> dict[str, str]:
        return {each["filename"]: each["stack_trace"] for each in rest.import_errors()}

    eventually(lambda: errors().keys() >= LACKS.keys(), timeout=90, what=lambda: f"import errors: {errors()}")
    for file, (missing, registered_in) in LACKS.items():
        said = errors()[file]
        assert missing in said
        assert f"install the plugin that lists it in {registered_in}" in said
        assert "in the environment of every scheduler and API server of the plane" in said
    eventually(
        lambda: len(findings(rest)) == len(LACKS), timeout=60, what=lambda: f"findings: {findings(rest)}"
    )
    assert all("install the plugin that lists it in" in each["remedy"] for each in findings(rest))


def findings(rest: AirflowRest) -> list[dict[str, Any]]:
    agents = rest.http.get("/tradewind/v1/agents").json()["items"]
    return [each for agent in agents for each in agent["findings"] if each["check"] == "dags:lacking"]


def runs_both(rest: AirflowRest) -> None:
    rest.wait_for_dags(["by_timetable", "by_priority"], timeout=120)
    eventually(lambda: not rest.import_errors(), timeout=30, what=lambda: f"{rest.import_errors()}")
    assert rest.run("by_timetable", logical_date="2026-03-02T00:00:00Z").state == "success"
    run = rest.run("by_priority")
    assert run.state == "success"
    [instance] = rest.task_instances("by_priority", run.run_id)
    assert instance["priority_weight"] == 42
    eventually(lambda: not findings(rest), timeout=60, what=lambda: f"no finding is left: {findings(rest)}")
