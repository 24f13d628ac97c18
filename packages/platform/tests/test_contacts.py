"""Whom people write to about a Deployment."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from support.platform_parts import Reconciled
from tradewind.cli import main
from tradewind.commands.session import Session
from tradewind_platform.domain.email_addresses import each_once

PATH = "/v1/deployments/sales"


def change(reconciled: Reconciled, *contacts: str, **more: Any) -> Any:
    return reconciled.owner.patch(PATH, json={"contact_emails": list(contacts), **more})


def test_a_deployment_has_contacts_from_its_creation_on_and_gets_others(reconciled: Reconciled) -> None:
    made = reconciled.created("sales", contact_emails=["data@acme.example"])
    assert made["contact_emails"] == ["data@acme.example"]
    changed = change(reconciled, "ops@acme.example", "data@acme.example").json()
    assert changed["contact_emails"] == ["ops@acme.example", "data@acme.example"]
    assert reconciled.events(action="deployment.update")[0]["changes"] == {
        "contact_emails": [["data@acme.example"], ["ops@acme.example", "data@acme.example"]]
    }
    assert change(reconciled).json()["contact_emails"] == []


def test_a_change_of_contacts_restarts_nothing(reconciled: Reconciled) -> None:
    reconciled.created("sales")
    changed = change(reconciled, "ops@acme.example").json()
    assert changed["operation"] is None and changed["observed_revision"] == changed["revision"] == 2


def test_what_is_there_already_is_no_change_and_what_is_not_sent_stays(reconciled: Reconciled) -> None:
    reconciled.created("sales", contact_emails=["data@acme.example"])
    assert change(reconciled, "data@acme.example").json()["revision"] == 1
    other = reconciled.owner.patch(PATH, json={"description": "EU"}).json()
    assert (other["contact_emails"], other["revision"]) == (["data@acme.example"], 2)


def test_an_address_is_kept_once_as_it_was_written_first(reconciled: Reconciled) -> None:
    assert each_once(["Ops@acme.example", "data@acme.example", "ops@ACME.example"]) == [
        "Ops@acme.example",
        "data@acme.example",
    ]
    made = reconciled.created("sales", contact_emails=["a@b.example", "A@b.example"])
    assert made["contact_emails"] == ["a@b.example"]


@pytest.mark.parametrize(
    "contacts",
    [["nobody"], ["a b@acme.example"], [f"{'a' * 250}@acme.example"], ["a@b.example"] * 21],
    ids=["no address", "a space", "too long", "too many"],
)
def test_what_is_no_address_is_refused(reconciled: Reconciled, contacts: list[str]) -> None:
    asked = reconciled.owner.post("/v1/deployments", json={"name": "sales", "contact_emails": contacts})
    assert asked.status_code == 422 and "contact_emails" in asked.json()["message"]


def test_they_stay_through_an_upgrade_of_the_specification(reconciled: Reconciled) -> None:
    reconciled.created("sales", contact_emails=["data@acme.example"])
    reconciled.owner.patch(PATH, json={"policy": "open"})
    reconciled.reconciler.carry_out_all()
    assert reconciled.deployment()["contact_emails"] == ["data@acme.example"]


# ---- the command


@pytest.fixture
def run(reconciled: Reconciled, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    token = str(reconciled.owner.headers["Authorization"]).removeprefix("Bearer ")
    monkeypatch.setenv("TRADEWIND_PLATFORM_URL", "http://platform.example.com")
    monkeypatch.setenv("TRADEWIND_API_TOKEN", token)
    monkeypatch.delenv("TRADEWIND_PLANE_URL", raising=False)
    session = Session(transport=reconciled.owner._transport)
    return lambda *arguments: CliRunner().invoke(main, arguments, obj=session)


def test_the_command_gives_shows_replaces_and_takes_them(
    run: Callable[..., Result], reconciled: Reconciled
) -> None:
    created = run(
        "deployments", "create", "sales", "--contact", "a@acme.example", "--contact", "b@acme.example"
    )
    assert created.exit_code == 0, created.output
    reconciled.reconciler.carry_out_all()
    assert "a@acme.example, b@acme.example" in run("deployments", "get", "sales").stdout
    (exported,) = json.loads(run("export").stdout)["deployments"]
    assert exported["contact_emails"] == ["a@acme.example", "b@acme.example"]
    assert run("deployments", "edit", "sales", "--contact", "c@acme.example").exit_code == 0
    assert reconciled.deployment()["contact_emails"] == ["c@acme.example"]
    assert run("deployments", "edit", "sales", "--description", "EU").exit_code == 0
    assert reconciled.deployment()["contact_emails"] == ["c@acme.example"]
    both = run("deployments", "edit", "sales", "--no-contacts", "--contact", "c@acme.example")
    assert both.exit_code == 2 and "exclude each other" in both.stderr
    assert run("deployments", "edit", "sales", "--no-contacts").exit_code == 0
    assert reconciled.deployment()["contact_emails"] == []
