"""OpenLineage: runs of Dags are told by the plane, tasks by the site, and both together are what LocalExecutor's Airflow tells."""

from __future__ import annotations

import copy
import json
import re
import signal
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from backends.observed.conftest import Told
from support import lineage_validation
from support.airflow_rest import eventually
from support.deployment import Deployment
from support.lineage import Event, leaves, parent, told

pytestmark = pytest.mark.timeout(900)  # the first test runs the Dags twice, each on an Airflow of its own

CHANGES = re.compile(
    r"(^eventTime|\.start_date|\.dagRun\.(duration|end_date)|\.run_after|\.log_url|\.dag_version_id|\.fileloc|\.stackTrace|\.hostname|\.tasksDuration\.\w+"
    # the run that a task started has the time of its start as its interval
    r"|\.data_interval_\w+|\.nominal\w+Time)$"
)
"""Places in an event with times, addresses and paths."""

DOCUMENTATION = "job.facets.documentation."
"""The whole facet: a Dag without documentation has one, too, which says what was left out of it."""


def is_of_a_run(event: Event) -> bool:
    return "." not in event["job"]["name"]


def comparable(events: list[Event], *, without: str = "") -> list[Any]:
    """Events in an order of their own, without what changes."""
    kept = [
        {
            place: value
            for place, value in leaves(each)
            if not CHANGES.search(place) and not (without and place.startswith(without))
        }
        for each in events
    ]
    return sorted(kept, key=lambda each: json.dumps(each, sort_keys=True, default=str))


def differences(found: list[Any], expected: list[Any]) -> list[Any]:
    """What is not the same in two lists of comparable events: place, found, expected."""
    if len(found) != len(expected):
        return [("events", len(found), len(expected))]
    return [
        (place, one.get(place), other.get(place))
        for one, other in zip(found, expected, strict=True)
        for place in sorted({*one, *other})
        if one.get(place) != other.get(place)
    ]


def events_of(told: Told) -> list[Event]:
    return told.lineage.of("lineage") + told.lineage.of("lineage_fails")


def test_the_plane_tells_of_runs_and_the_site_of_tasks(
    deployment: Deployment, by_plane: Told, by_site: Told
) -> None:
    assert told(events_of(by_plane)) == [
        ("lineage", "COMPLETE"),
        ("lineage", "START"),
        ("lineage_fails", "FAIL"),
        ("lineage_fails", "START"),
    ]
    assert not [each for each in events_of(by_site) if is_of_a_run(each)]


def test_the_site_tells_of_tasks_what_local_executor_tells(
    deployment: Deployment, locally: Told, by_site: Told
) -> None:
    expected = [each for each in events_of(locally) if not is_of_a_run(each)]
    types = [event_type for _, event_type in told(expected)]
    assert {"START", "COMPLETE", "FAIL"} == set(types) and len(types) > 20
    assert told(events_of(by_site)) == told(expected)
    assert differences(comparable(events_of(by_site)), comparable(expected)) == []


def test_the_plane_tells_of_runs_what_local_executor_tells_but_for_texts(
    deployment: Deployment, locally: Told, by_plane: Told
) -> None:
    expected = [each for each in events_of(locally) if is_of_a_run(each)]
    found = comparable(events_of(by_plane), without=DOCUMENTATION)
    assert differences(found, comparable(expected, without=DOCUMENTATION)) == []
    texts = {
        value
        for each in events_of(by_plane)
        for place, value in leaves(each)
        if place == DOCUMENTATION + "description"
    }
    assert texts and all(text.startswith("kept at the site") for text in texts)


def test_each_task_names_the_run_that_the_plane_told_of(
    deployment: Deployment, by_plane: Told, by_site: Told
) -> None:
    runs = {(each["job"]["name"], each["run"]["runId"]) for each in events_of(by_plane)}
    assert {parent(each) for each in events_of(by_site)} == runs


def test_each_try_and_each_mapped_task_is_a_run_of_its_own(deployment: Deployment, by_site: Told) -> None:
    def runs(task_id: str) -> set[str]:
        return {
            each["run"]["runId"]
            for each in by_site.lineage.events
            if each["job"]["name"] == f"lineage.{task_id}"
        }

    assert len(runs("second_try")) == 2
    assert len(runs("double")) == 3
    assert len(runs("waits")) == len(runs("pokes")) == 1


def test_datasets_are_those_of_the_dag_and_no_value_of_an_xcom(deployment: Deployment, by_site: Told) -> None:
    datasets = {
        (each["job"]["name"], f"{dataset['namespace']}/{dataset['name']}".replace("//", "/"))
        for each in by_site.lineage.events
        for dataset in (*each["inputs"], *each["outputs"])
    }
    dag_file = Path(__file__).parent / "dags" / "lineage.py"
    assert datasets == {("lineage.reports", f"file/{dag_file}".replace("//", "/"))}


def test_what_the_plane_tells_has_nothing_of_the_site(deployment: Deployment, by_plane: Told) -> None:
    assert "SECRET-" not in json.dumps(by_plane.lineage.events)


def test_a_site_that_disables_source_code_sends_none(deployment: Deployment, by_site: Told) -> None:
    sent = json.dumps(by_site.lineage.events)
    assert "SECRET-SOURCE" not in sent
    assert "SECRET-COMMAND" not in sent
    assert "SECRET-ERROR-of-a-task" in sent  # stays with the site's receiver


def test_every_event_is_as_the_schemas_of_the_specification_say(
    deployment: Deployment, by_plane: Told, by_site: Told
) -> None:
    events = by_plane.lineage.events + by_site.lineage.events
    assert [problem for each in events for problem in lineage_validation.problems(each)] == []


def test_there_are_copies_of_just_the_schemas_that_events_name(
    deployment: Deployment, by_plane: Told, by_site: Told
) -> None:
    events = by_plane.lineage.events + by_site.lineage.events
    assert set().union(*map(lineage_validation.schemas, events)) == lineage_validation.copies()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["eventTime"], "yesterday"),
        (["eventType"], "BEGIN"),
        (["run", "runId"], "1"),
        (["job", "name"], None),
        (["run", "facets", "parent", "run"], {}),
        (["run", "facets", "airflow", "_producer"], None),
        (["run", "facets", "parent", "_schemaURL"], "https://openlineage.io/spec/facets/0-0-0/NoFacet.json"),
    ],
    ids=lambda each: ".".join(each) if isinstance(each, list) else "",
)
def test_an_event_with_one_wrong_value_is_not_as_the_schemas_say(
    deployment: Deployment, by_site: Told, place: list[str], value: Any
) -> None:
    event = copy.deepcopy(next(each for each in by_site.lineage.events if each["eventType"] == "START"))
    part = event
    for each in place[:-1]:
        part = part[each]
    part[place[-1]] = value
    assert lineage_validation.problems(event)


def test_each_run_starts_and_ends_once(deployment: Deployment, by_plane: Told, by_site: Told) -> None:
    """But for a deferred task, which Airflow reports as started whenever it resumes."""
    types: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for each in events_of(by_plane) + events_of(by_site):
        types[each["job"]["name"], each["run"]["runId"]][each["eventType"]] += 1
    again = {name for (name, _), found in types.items() if found["START"] != 1}
    assert again == {"lineage.waits"}
    assert all(found["COMPLETE"] + found["FAIL"] == 1 for found in types.values())


def test_a_state_that_a_user_gives_a_task_is_told_by_the_plane(
    deployment: Deployment, by_plane: Told, by_site: Told
) -> None:
    """Comes after the comparisons: it ends a try anew."""
    name = "lineage_fails.fails"
    [run] = deployment.rest.pages("/dags/lineage_fails/dagRuns", "dag_runs")
    path = f"/dags/lineage_fails/dagRuns/{run['dag_run_id']}/taskInstances/fails"
    deployment.rest.send("PATCH", path, {"new_state": "success"})
    eventually(
        lambda: (name, "COMPLETE") in told(events_of(by_plane)),
        timeout=30,
        what=lambda: f"plane {told(events_of(by_plane))}",
    )
    of_it = [each for each in events_of(by_plane) + events_of(by_site) if each["job"]["name"] == name]
    assert {parent(each) for each in of_it} == {parent(of_it[-1])}
    assert len({each["run"]["runId"] for each in of_it}) == 1


def test_the_end_of_a_try_whose_agent_was_lost_is_told_by_the_plane(
    deployment: Deployment, by_plane: Told, by_site: Told
) -> None:
    """Comes last: it kills the agent."""
    run_id = deployment.rest.trigger("lineage_lost", logical_date="2026-03-03T00:00:00Z")
    deployment.wait_for_journal("lost", attempt=1)
    deployment.agent.process.signal(signal.SIGKILL, group=True)
    deployment.agent.process.wait(30)
    deployment.agent.start()
    run = deployment.rest.wait_for_run("lineage_lost", run_id, timeout=180)
    assert run.state == "success", run
    name = "lineage_lost.lost"

    def by(side: Told) -> list[Event]:
        return [each for each in side.lineage.events if each["job"]["name"] == name]

    eventually(
        lambda: bool(by(by_plane)) and len(by(by_site)) >= 3,
        timeout=30,
        what=lambda: f"plane {told(by(by_plane))}, site {told(by(by_site))}",
    )
    first, second = [each["run"]["runId"] for each in by(by_site) if each["eventType"] == "START"]
    assert [(each["eventType"], each["run"]["runId"]) for each in by(by_plane)] == [("FAIL", first)]
    assert [each["run"]["runId"] for each in by(by_site) if each["eventType"] == "COMPLETE"] == [second]
    assert {parent(each) for each in by(by_plane)} == {parent(each) for each in by(by_site)}
