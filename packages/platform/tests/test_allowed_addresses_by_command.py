"""The commands about an organization's allowed addresses against the platform's API."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from support.http_client import Client
from support.platform_parts import Api, as_context
from tradewind.cli import main
from tradewind.commands.session import Session

HERE = "203.0.113.7"
Run = Callable[..., Result]


@pytest.fixture
def run(api: Api, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    as_context(api, monkeypatch, tmp_path)

    def runs(*arguments: str, fails: bool = False, address: str = HERE) -> Result:
        session = Session(transport=Client(api.app, client=(address, 50000))._transport)
        done = CliRunner().invoke(main, ("organization", "allowed-ips", *arguments), obj=session)
        assert (done.exit_code != 0) is fails, done.output
        return done

    return runs


def networks(run: Run) -> list[str]:
    return [one["network"] for one in json.loads(run("list", "-o", "json").stdout)["networks"]]


def test_networks_are_added_and_removed(run: Run) -> None:
    nothing = run("list")
    assert "Any address is allowed." in nothing.stdout and HERE in nothing.stderr
    run("add", "203.0.113.0/24", "2001:db8::/32", "--description", "office", "--reason", "audit")
    run("add", "198.51.100.7", "203.0.113.0/24")
    assert networks(run) == ["203.0.113.0/24", "2001:db8::/32", "198.51.100.7/32"]
    said = run("list")
    assert "office" in said.stdout and "token:ada" in said.stderr
    run("remove", "198.51.100.7")
    assert networks(run) == ["203.0.113.0/24", "2001:db8::/32"]
    assert "is not on the list" in run("remove", "198.51.100.7", fails=True).stderr


def test_the_list_is_replaced_and_taken_away(run: Run) -> None:
    run("set", "203.0.113.0/24")
    run("set", HERE)
    assert networks(run) == [f"{HERE}/32"]
    assert "--from-anywhere" in run("remove", HERE, fails=True).stderr
    assert "--from-anywhere" in run("set", fails=True).stderr
    run("set", "--from-anywhere")
    assert networks(run) == []


def test_a_list_that_would_lock_the_caller_out_is_refused(run: Run) -> None:
    run("set", "203.0.113.0/24", "198.51.100.0/24")
    for asked in (("set", "198.51.100.0/24"), ("remove", "203.0.113.0/24")):
        refused = run(*asked, fails=True)
        assert HERE in refused.stderr and "tradewind platform allowed-ips clear" in refused.stderr
    assert networks(run) == ["203.0.113.0/24", "198.51.100.0/24"]


def test_who_is_elsewhere_is_told_the_address_and_whom_to_ask(run: Run) -> None:
    run("set", "203.0.113.0/24")
    refused = run("list", fails=True, address="198.51.100.9")
    assert "198.51.100.9" in refused.stderr and "owner of the organization" in refused.stderr


def test_what_is_no_network_is_not_sent(run: Run) -> None:
    assert "'10.1.2.3/8' is not a network" in run("add", "10.1.2.3/8", fails=True).stderr
