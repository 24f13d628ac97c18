"""The command `tradewind-agent storage`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from uuid import uuid4

import click

from tradewind_agent.cli import exits
from tradewind_agent.cli.options import config_option, state_dir_option
from tradewind_agent.cli.storage_table import table
from tradewind_agent.monitoring import status as status_file


@click.command()
@config_option
@state_dir_option
@click.option("--clean", is_flag=True, help="Remove what may be removed. Default: only show it.")
@click.option(
    "--unknown",
    is_flag=True,
    help="Also remove values and logs of Dags that the plane does not know, such as deleted ones.",
)
@click.option("--wait", type=float, default=600.0, help="Seconds to wait for the agent. Default: 600.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Default: table.")
def storage(
    config: Path | None, state_dir: Path | None, clean: bool, unknown: bool, wait: float, output: str
) -> None:
    """Show or remove XCom values, task and asset state, and logs of runs that are stored at this site.

    The agent that runs from the state directory looks, asks the plane which runs still need what is stored, and removes
    nothing else. Exits with 0; with 1 when something could not be looked at or the agent could not be asked; with 3 when no
    agent runs.
    """
    from tradewind_agent import settings
    from tradewind_agent.state import storage_requests

    exits.as_the_agent(config)
    directory = state_dir or settings.state_dir_of(config)
    found = status_file.read(directory)
    if found is None or not status_file.alive(found):
        click.echo(
            f"no agent runs from {directory}: start it, since only a running agent can ask the plane what is still needed",
            err=True,
        )
        sys.exit(3)
    asked = uuid4().hex
    try:
        storage_requests.request(directory, id=asked, clean=clean, unknown=unknown)
    except OSError as error:
        click.echo(
            f"the agent cannot be asked: {error.strerror or error}: {directory}. Run this as the agent's user, and see that "
            "the disk has room",
            err=True,
        )
        sys.exit(1)
    until = time.monotonic() + wait
    while (report := storage_requests.report(directory)) is None or report.get("request") != asked:
        if time.monotonic() > until:
            click.echo(f"the agent did not answer in {wait:g} s; see its log", err=True)
            sys.exit(1)
        time.sleep(0.2)
    click.echo(json.dumps(report, indent=1) if output == "json" else table(report))
    sys.exit(1 if report.get("problems") else 0)
