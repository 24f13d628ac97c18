"""What a trigger says of itself leaves a strict site without code, and without secrets that Airflow knows."""

from __future__ import annotations

import json

from tradewind_protocol.boundary.declarations import undeclared
from tradewind_protocol.sessions import Policy

from .conftest import FakePlane, Site, StartHost, task


def test_a_failure_names_the_error_and_neither_the_code_nor_a_known_secret(site: Site) -> None:
    site.plane.want(1, "Leaks", ti=site.task("leaks"))
    said = site.plane.wait_for(lambda: site.plane.failures().get(1))
    assert "RuntimeError: no sign-in with ***" in said
    assert "site_triggers.py" in said
    assert "known-password" not in said
    assert "SECRET-LINE" not in said
    assert "raise RuntimeError" not in said


def test_an_event_loses_known_secrets_and_nothing_else(site: Site) -> None:
    site.plane.want(1, "Leaks", ti=site.task("tells"), event=True)
    [payload] = site.plane.wait_for(lambda: site.plane.events().get(1))
    assert payload == {"said": "in with ***", "token": "a page's number", "rows": 3}


def test_a_callback_says_that_it_ran_and_not_what_it_returned(site: Site) -> None:
    trigger = "airflow.triggers.callback.CallbackTrigger"
    for number, name in ((1, "returns_a_secret"), (2, "breaks_with_a_secret")):
        site.plane.want(number, trigger, callback_path=f"site_triggers.{name}", callback_kwargs={})
    events = site.plane.wait_for(
        lambda: site.plane.events() if sum(len(one) for one in site.plane.events().values()) >= 4 else None
    )
    assert [one["state"] for one in events[1]] == ["running", "success"]
    assert [one["state"] for one in events[2]] == ["running", "failed"]
    assert "RuntimeError: as planned" in events[2][-1]["body"]
    assert "SECRET" not in json.dumps(events)


def test_a_site_whose_boundary_is_open_says_it_all(start_host: StartHost, plane: FakePlane) -> None:
    start_host(policy=Policy.OPEN, send_source=True)
    plane.want(1, "Leaks", ti=task("leaks"))
    said = plane.wait_for(lambda: plane.failures().get(1))
    assert "raise RuntimeError" in said


def test_arguments_that_the_site_did_not_declare_fail_the_trigger_and_say_what_to_do(site: Site) -> None:
    site.plane.want(1, "Simple", ti=site.task("sealed"), **undeclared("a trigger"))
    said = site.plane.wait_for(lambda: site.plane.failures().get(1))
    assert "site_key_file" in said


def test_the_password_of_a_connection_that_a_trigger_reads_is_one_that_airflow_knows(
    start_host: StartHost, plane: FakePlane
) -> None:
    start_host(env={"AIRFLOW_CONN_SITE_HTTP": "http://user:of-the-connection@host"})
    plane.want(1, "ReadsConnection", ti=task("reads"))
    plane.wait_for(lambda: plane.events() or plane.failures())
    assert plane.failures() == {}
    assert plane.events()[1] == [{"said": "in with ***"}]
