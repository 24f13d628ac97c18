"""`python -m tradewind_provider.dag_check` in a process of its own, with Dags that a real parse has serialized."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support import forked
from tradewind_provider.dag_check import MARK

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

PLUGIN = """
from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.interval import CronDataIntervalTimetable
class Weekly(CronDataIntervalTimetable):
    def __init__(self):
        super().__init__("0 0 * * 1", "UTC")
    def serialize(self):
        return {}
    @classmethod
    def deserialize(cls, data):
        return cls()
class Weeks(AirflowPlugin):
    name = "weeks"
    timetables = [Weekly]
"""
DAGS = """
import json
from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.serialization.serialized_objects import DagSerialization
from weekly import Weekly
def made(dag_id, **task):
    with DAG(dag_id, schedule=Weekly() if dag_id == "weekly" else None) as dag:
        EmptyOperator(task_id="one", **task)
    data = DagSerialization.to_dict(dag)
    data["dag"]["relative_fileloc"] = f"{dag_id}.py"
    return {"bundle": "main", "file": f"{dag_id}.py", "dag": data}
for one in (made("plain"), made("weekly"), made("elsewhere", executor="KubernetesExecutor")):
    print("LINE " + json.dumps(one))
"""


def of_a_plane(place: Path, plugins: Path) -> dict[str, str]:
    own = {"AIRFLOW_HOME": str(place / "airflow"), "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins)}
    return {**{k: v for k, v in os.environ.items() if not k.startswith("AIRFLOW")}, **own}


def said_by(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plane")
    (made / "plugins").mkdir()
    (made / "none").mkdir()
    (made / "plugins" / "weekly.py").write_text(PLUGIN)
    return made


@pytest.fixture(scope="module")
def asked(place: Path) -> str:
    said = said_by(forked.run(DAGS, env=of_a_plane(place, place / "plugins")))
    return "".join(
        f"{line.removeprefix('LINE ')}\n" for line in said.splitlines() if line.startswith("LINE ")
    )


def refused(place: Path, plugins: Path, asked: str) -> dict[str, dict[str, Any]]:
    env = of_a_plane(place, plugins)
    said = said_by(forked.run_module("tradewind_provider.dag_check", given=asked, env=env))
    lines = [json.loads(line.removeprefix(MARK)) for line in said.splitlines() if line.startswith(MARK)]
    assert lines.pop() == {"checked": 3}
    return {one["file"]: one for one in lines}


def test_a_timetable_that_the_plane_does_not_have_is_named(place: Path, asked: str) -> None:
    assert "weekly.py" not in refused(place, place / "plugins", asked)
    found = refused(place, place / "none", asked)["weekly.py"]
    assert "weekly.Weekly" in found["cause"]
    assert "install the plugin that lists it in `timetables`" in found["remedy"]


def test_a_task_that_names_another_executor_is_named_and_a_plain_dag_is_not(place: Path, asked: str) -> None:
    found = refused(place, place / "plugins", asked)
    assert set(found) == {"elsewhere.py"}
    assert "KubernetesExecutor" in found["elsewhere.py"]["cause"]
