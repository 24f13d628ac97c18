"""`python -m tradewind_runtime.dag_check` in a process of its own: real Airflow parses real files, the data boundary answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support import prepared_hosts
from tradewind_protocol.hosts import Configure
from tradewind_protocol.states import Component
from tradewind_runtime.dag_check import MARK

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

GOOD = """
from airflow.sdk import Connection, dag, task
where = Connection.get("warehouse")
@dag(schedule=None, description="of interest to nobody else")
def good():
    @task
    def one(): ...
    one()
good()
"""
FILES = {
    "good.py": GOOD,
    "reads.py": "from airflow.sdk import Variable, DAG\nregion = Variable.get('region')\n",
    "defaults.py": "from airflow.sdk import Variable, DAG\nregion = Variable.get('zone', default='a')\n"
    "DAG('defaults', schedule=None)\n",
    "writes.py": "from airflow.sdk import Variable, DAG\nVariable.set('last', '1')\n",
    "lacks.py": "from airflow.sdk import DAG\nimport a_package_that_is_not_here\n",
    "tells.py": "from airflow.sdk import DAG, Connection\nraise ValueError(Connection.get('warehouse').password)\n",
}


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The lines of the answer, by file."""
    place = tmp_path_factory.mktemp("site")
    (place / "dags").mkdir()
    for name, text in FILES.items():
        (place / "dags" / name).write_text(text)
    bundle = {
        "name": "main",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(place / "dags")},
    }
    lines = ask(place, bundles=[bundle], with_dags=True)
    assert lines[0]["airflow"].startswith("3.")
    return {line["file"]: line for line in lines[1:]}


def ask(place: Path, **options: Any) -> list[dict[str, Any]]:
    configure = Configure(
        component=Component.DAG_PROCESSOR,
        agent_name="check",
        gateway="",
        secret="",
        options={"state_directory": str(place / "state"), **options},
    )
    done = prepared_hosts.run_module(
        "tradewind_runtime.dag_check",
        given=configure.model_dump_json(),
        AIRFLOW_CONN_WAREHOUSE='{"conn_type": "http", "password": "sesame-street"}',
    )
    assert done.returncode == 0, done.stderr
    assert "sesame-street" not in done.stdout
    return [json.loads(line.removeprefix(MARK)) for line in done.stdout.splitlines() if line.startswith(MARK)]


def test_every_file_is_parsed_once_with_the_connections_of_the_site(
    checked: dict[str, dict[str, Any]],
) -> None:
    assert set(checked) == set(FILES)
    assert (checked["good.py"]["dags"], checked["good.py"]["errors"], checked["good.py"]["requests"]) == (
        ["good"],
        {},
        [],
    )
    assert "nobody else" not in json.dumps(checked["good.py"]["reduced"])


def test_a_variable_that_only_the_plane_has_is_named_with_file_and_line(
    checked: dict[str, dict[str, Any]],
) -> None:
    assert '/main/reads.py", line 2' in checked["reads.py"]["errors"]["reads.py"]
    [asked] = checked["reads.py"]["requests"]
    assert asked["what"] == "reads the variable 'region'"
    assert "AIRFLOW_VAR_REGION" in asked["remedy"]
    assert asked["refused"] is False


def test_a_read_with_a_default_is_told_although_the_file_parses(checked: dict[str, dict[str, Any]]) -> None:
    assert checked["defaults.py"]["errors"] == {}
    assert [one["what"] for one in checked["defaults.py"]["requests"]] == ["reads the variable 'zone'"]


def test_what_the_policy_refuses_is_told_in_the_words_of_the_boundary(
    checked: dict[str, dict[str, Any]],
) -> None:
    [asked] = checked["writes.py"]["requests"]
    assert (asked["what"], asked["refused"]) == ("writes the variable 'last'", True)
    assert (
        asked["remedy"]
        == "keep it in the site's own storage, or set the agent's policy for variables to open"
    )


def test_a_package_that_is_missing_is_an_error_of_its_file(checked: dict[str, dict[str, Any]]) -> None:
    assert "No module named 'a_package_that_is_not_here'" in checked["lacks.py"]["errors"]["lacks.py"]


def test_an_open_site_may_write_variables(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "writes.py").write_text(FILES["writes.py"])
    bundle = {
        "name": "main",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(tmp_path / "dags")},
    }
    lines = ask(tmp_path, bundles=[bundle], rules={"variables": "open"})
    assert [one["refused"] for one in lines[1]["requests"]] == [False]


def test_a_bundle_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    bundle = {"name": "main", "classpath": "nowhere.Bundle", "kwargs": {}}
    lines = ask(tmp_path, bundles=[bundle])
    assert any("nowhere" in line.get("problem", "") or "main" in line.get("problem", "") for line in lines)
