"""What a Dag may rely on at every kind of site."""

from __future__ import annotations

import re

import pytest

from on_airflow.sites.site import PASSWORD, VARIABLE, Site

pytestmark = pytest.mark.timeout(300)  # with the start of a plane and a site


def test_every_task_of_a_dag_succeeds_with_the_tries_it_needs(site: Site) -> None:
    run = site.run("promises")
    assert run.state == "success", run
    assert {key: tries for key, tries in run.tries.items() if tries != 1} == {("second_try", -1): 2}
    assert [index for task_id, index in run.tasks if task_id == "square"] == [0, 1, 2]


def test_mapped_tasks_and_those_after_them_get_the_values_that_others_returned(site: Site) -> None:
    site.run("promises")
    assert [each["value"] for each in site.journal("total")] == [14]
    assert [each["value"] for each in site.journal("elsewhere")] == [14]


def test_a_callback_runs_at_the_site(site: Site) -> None:
    site.run("promises")
    assert [each["task"] for each in site.journal("called_back")] == ["second_try"]


def test_a_task_finds_the_sites_connection_and_variable(site: Site) -> None:
    site.run("promises")
    [asked] = site.journal("asked")
    assert asked["password"] == PASSWORD
    assert asked["variable"] == VARIABLE


def test_the_log_of_each_try_is_shown(site: Site) -> None:
    site.run("promises")
    for number in (1, 2):
        shown = site.log("promises", "second_try", try_number=number)
        assert f"words of try {number}" in shown
        assert f"words of try {3 - number}" not in shown
    assert f"rendered {len(VARIABLE)}" in site.log("promises", "renders")


def test_the_log_of_a_failed_task_is_that_of_local_executor_line_by_line(
    site: Site, under_local_executor: Site
) -> None:
    expected = comparable(under_local_executor, "fails", "talks_and_fails")
    assert len(expected) > 10
    assert comparable(site, "fails", "talks_and_fails") == expected


def test_a_task_builds_models_of_airflow_as_dags_for_airflow_2_do(site: Site) -> None:
    assert site.run("built").state == "success"
    assert [each["uri"] for each in site.journal("built")] == ["http://example.com"]


def test_what_is_particular_to_this_kind_of_site_holds(site: Site) -> None:
    site.also(site)


def comparable(site: Site, which: str, task_id: str) -> list[str]:
    """A log without what differs in each run: times, ids, process ids, and the site's name and folders."""
    lines = site.log(which, task_id)
    varying = (
        (re.escape(site.name) + "_", "SITE_"),
        (r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "ID"),
        (r"manual__[\w:.+-]+", "RUN"),
        (r"\d+(\.\d+)+", "N"),
    )
    for pattern, replacement in varying:
        lines = [re.sub(pattern, replacement, line) for line in lines]
    return lines
