"""Where the command finds its verbs."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import click
import pytest

from tradewind import cli


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """What other distributions declare."""
    points: list[EntryPoint] = []
    monkeypatch.setattr(cli, "entry_points", lambda group: [one for one in points if one.group == group])
    return points


def test_a_distribution_that_is_not_installed_is_named_by_its_verb(tradewind: Any, installed: Any) -> None:
    result = tradewind("agent", "run", "--config", "x", "--help")
    assert result.exit_code == 2
    assert "pip install tradewind-agent" in result.output


def test_a_verb_of_another_distribution_is_run_as_it_is(tradewind: Any, installed: list[EntryPoint]) -> None:
    installed.append(EntryPoint("agent", f"{__name__}:borrowed", "tradewind.commands"))
    assert tradewind("agent", "--loud").output == "run by another distribution\n"


def test_a_broken_distribution_does_not_take_the_others_with_it(
    tradewind: Any, installed: list[EntryPoint]
) -> None:
    installed.append(EntryPoint("agent", "no_such_module:main", "tradewind.commands"))
    assert "tokens" in tradewind("--help").output
    result = tradewind("agent", "run")
    assert result.exit_code == 2
    assert "no_such_module" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_given_a_completion_script(tradewind: Any, shell: str) -> None:
    assert f"_TRADEWIND_COMPLETE={shell}_complete" in tradewind("completion", shell).output


@click.command()
@click.option("--loud", is_flag=True)
def borrowed(loud: bool) -> None:
    click.echo("run by another distribution" if loud else "")
