"""The command `tradewind-agent status`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from tradewind_agent.cli import exits
from tradewind_agent.cli.options import config_option, state_dir_option
from tradewind_agent.monitoring import status as status_file


@click.command()
@config_option
@state_dir_option
@click.option("--json", "as_json", is_flag=True, help="Print the whole document as JSON.")
def status(config: Path | None, state_dir: Path | None, as_json: bool) -> None:
    """Show the state of the agent on this machine. Exits with 0 when it is ready, 1 when not, 3 when none runs."""
    from tradewind_agent import settings

    exits.as_the_agent(config)
    directory = state_dir or settings.state_dir_of(config)
    found = status_file.read(directory)
    if found is None or not status_file.alive(found):
        click.echo(f"no agent runs from {directory}", err=True)
        sys.exit(3)
    click.echo(json.dumps(found, indent=1) if as_json else status_file.text(found))
    sys.exit(1 if found.get("not_ready") else 0)
