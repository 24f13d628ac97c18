"""What the check of a site says becomes findings: file and line, cause, remedy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support import project_parts
from tradewind.errors import CommandError
from tradewind.project import checks
from tradewind.project.checks import Finding, Report
from tradewind.project.settings import Project
from tradewind_protocol.hosts import Configure


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return project_parts.made(tmp_path / "shop", None)


def told(project: Project, *lines: dict[str, Any], airflow: str = "3.3.2", planes: str = "3.3.2") -> Report:
    every = [{"airflow": airflow}, *lines]
    output = "a library says hello\n" + "".join(f"{checks.MARK}{json.dumps(one)}\n" for one in every)
    return checks.report(project, output, planes_airflow=planes)


def file(name: str = "a.py", **more: Any) -> dict[str, Any]:
    return {"bundle": "shop", "file": name, "dags": [], "errors": {}, "requests": [], **more}


def test_the_question_has_the_projects_bundles_where_they_are_and_its_policy(project: Project) -> None:
    project.agent_settings.write_text(project.agent_settings.read_text() + "\n", encoding="utf-8")
    (project.site.folder / "dev.env").write_text("AIRFLOW_CONN_X=sesame\n")
    asked = Configure.model_validate_json(checks.question(project, site="/elsewhere", state="/state"))
    [bundle] = asked.options["bundles"]
    assert bundle["kwargs"]["path"] == "/elsewhere/dags"
    assert asked.policy.value == "strict"
    assert asked.options["environ"] == {"AIRFLOW_CONN_X": "sesame"}


def test_a_kind_of_data_that_agent_toml_opens_is_open_in_the_check(project: Project) -> None:
    text = project.agent_settings.read_text().replace('policy = "strict"', 'variables = "open"')
    project.agent_settings.write_text(text)
    asked = Configure.model_validate_json(checks.question(project, site="/x", state="/state"))
    assert asked.options["rules"] == {"variables": "open"}


def test_files_that_parse_are_no_finding(project: Project) -> None:
    report = told(project, file(dags=["b", "a"]))
    assert (report.dags, report.findings, report.passed) == (("a", "b"), (), True)


def test_a_missing_package_is_an_error_at_its_line(project: Project) -> None:
    trace = "Traceback\n  File \"/shop/a.py\", line 3, in <module>\n    import x\nModuleNotFoundError: No module named 'x'\n"
    report = told(project, file(errors={"a.py": trace}))
    assert report.findings == (
        Finding(
            "error",
            "site/dags/a.py:3",
            "ModuleNotFoundError: No module named 'x'",
            "Add the package to site/requirements.txt, or correct the import",
        ),
    )


def test_what_strict_policy_refuses_is_one_error_in_the_words_of_the_boundary(project: Project) -> None:
    request = {"what": "writes the variable 'x'", "cause": "may not", "remedy": "keep it", "refused": True}
    trace = 'File "/shop/a.py", line 9, in x\nairflow.AirflowRuntimeError: API_SERVER_ERROR: {}'
    report = told(project, file(errors={"a.py": trace}, requests=[request]))
    assert report.findings == (
        Finding(
            "error", "site/dags/a.py:9", "writes the variable 'x' at the top of the file: may not", "keep it"
        ),
    )


def test_a_read_with_a_default_is_a_warning_and_passes(project: Project) -> None:
    request = {"what": "reads the variable 'x'", "cause": "not here", "remedy": "later", "refused": False}
    report = told(project, file(dags=["a"], requests=[request]))
    assert [one.level for one in report.findings] == ["warning"]
    assert report.passed


def test_an_error_beside_a_request_is_told_as_well(project: Project) -> None:
    request = {"what": "reads the variable 'x'", "cause": "not here", "remedy": "later", "refused": False}
    report = told(project, file(errors={"a.py": "ValueError: no"}, requests=[request]))
    assert [one.cause for one in report.findings][1:] == ["ValueError: no"]


@pytest.mark.parametrize(
    ("sites", "planes", "wrong"),
    [
        ("3.3.2", "3.3.1", False),
        ("3.2.5", "3.3.2", False),
        ("3.4.0", "3.3.2", True),
        ("3.1.0", "3.3.2", True),
    ],
)
def test_the_sites_airflow_is_the_planes_or_one_minor_behind(
    project: Project, sites: str, planes: str, wrong: bool
) -> None:
    report = told(project, file(dags=["a"]), airflow=sites, planes=planes)
    assert report.passed is not wrong
    assert [one.where for one in report.findings] == ["site/requirements.txt"] * wrong


def test_a_dag_in_two_files_and_bundles_without_files_are_errors(project: Project) -> None:
    assert not told(project, file("a.py", dags=["x"]), file("b.py", dags=["x"])).passed
    assert [one.cause for one in told(project).findings] == ["the bundles have no Dag file"]


def test_an_environment_without_our_runtime_is_no_answer(project: Project) -> None:
    with pytest.raises(CommandError, match="No module named tradewind_runtime") as caught:
        checks.report(project, "python: No module named tradewind_runtime\n", planes_airflow="")
    assert "tradewind-runtime" in caught.value.remedy
