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
        shown = words(site, "promises", "second_try", try_number=number)
        assert f"words of try {number}" in shown
        assert f"words of try {3 - number}" not in shown
    assert f"rendered {len(VARIABLE)}" in words(site, "promises", "renders")


def test_the_log_of_a_failed_task_is_that_of_local_executor_line_by_line(
    site: Site, under_local_executor: Site
) -> None:
    expected = comparable(under_local_executor, "fails", "talks_and_fails")
    assert sum(len(lines) for lines in expected.values()) > 10
    assert comparable(site, "fails", "talks_and_fails") == expected


def test_a_task_builds_models_of_airflow_as_dags_for_airflow_2_do(site: Site) -> None:
    assert site.run("built").state == "success"
    assert [each["uri"] for each in site.journal("built")] == ["http://example.com"]


def test_what_is_particular_to_this_kind_of_site_holds(site: Site) -> None:
    site.also(site)


def words(site: Site, which: str, task_id: str, *, try_number: int = 1) -> list[str]:
    return [event for _, event in site.log(which, task_id, try_number=try_number)]


def comparable(site: Site, which: str, task_id: str) -> dict[str, list[str]]:
    """A log's lines by logger, in their order, without what differs in each run: times, ids, and the site's own names.

    What a task prints and what it logs come over two sockets, so Airflow shows them in any order.
    """
    found: dict[str, list[str]] = {}
    for logger, line in site.log(which, task_id):
        for pattern, replacement in (
            (re.escape(site.name) + "_", "SITE_"),
            (r"DAG bundles loaded: .*", "DAG bundles loaded: BUNDLE"),
            (r"\b[0-9a-f]{8}-[0-9a-f-]{27}\b", "ID"),
            (r"manual__[\w:.+-]+", "RUN"),
            (r"\d+(\.\d+)+", "N"),
        ):
            line = re.sub(pattern, replacement, line)
        found.setdefault(logger, []).append(line)
    return found
