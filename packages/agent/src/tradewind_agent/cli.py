"""The command: `tradewind-agent run`, `tradewind-agent status`."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from tradewind_agent import status as status_file
from tradewind_agent.errors import AgentError

_CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file (TOML).",
    envvar="TRADEWIND_AGENT_CONFIG",
)
_STATE_DIR = click.option(
    "--state-dir", type=click.Path(file_okay=False, path_type=Path), help="Where the agent keeps its state."
)


@click.group(name="agent")
@click.version_option(package_name="tradewind-agent", message="%(package)s %(version)s")
def main() -> None:
    """Run work for an orchestration plane, next to the data."""


@main.command()
@_CONFIG
@click.option("--plane-url", help="Address of the orchestration plane.")
@click.option("--token-file", type=click.Path(path_type=Path), help="File that holds the agent token.")
@click.option("--name", help="The agent's name. Default: the host name.")
@_STATE_DIR
@click.option("--components", help="worker,dag_processor,triggerer or some of them. Default: all.")
@click.option("--queues", help="Queues to serve, with commas. Default: default.")
@click.option("--slots", type=int, help="Attempts at once. Default: 20.")
@click.option("--interpreter", type=click.Path(path_type=Path), help="Python of the task environment.")
@click.option("--policy", type=click.Choice(["strict", "open"]), help="The data boundary. Default: strict.")
@click.option(
    "--grace", type=float, help="Seconds for running tasks to end after a stop signal. Default: 600."
)
@click.option(
    "--metrics-port", type=int, help="Port of /healthz, /readyz and /metrics; 0: off. Default: 39091."
)
@click.option("--log-format", type=click.Choice(["auto", "console", "json"]), help="Default: auto.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default: info.")
def run(config: Path | None, **flags: Any) -> None:
    """Run the agent until SIGTERM or Ctrl-C (again: at once).

    The token is never a flag: use --token-file, or the variable TRADEWIND_AGENT_TOKEN. Every setting has a variable
    TRADEWIND_AGENT_… and a place in the file; flags come first, then variables, then the file.

    Ends with 0 after a drain, 3 when the plane refuses this agent for good, 4 when another process has taken its
    identity, 78 when a setting is wrong.
    """
    # Imported here: `status` and `--help` need none of it, and the plane is dialled sooner than a shell completes.
    from tradewind_agent import agent, logs, settings

    try:
        loaded = settings.load(flags, config=config)
        logs.configure(format=loaded.log_format, level=loaded.log_level)
        for warning in loaded.warnings():
            click.echo(f"warning: {warning}", err=True)
        reason = asyncio.run(agent.run(loaded))
    except AgentError as error:
        click.echo(f"tradewind-agent: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"tradewind-agent: stopped ({reason})", err=True)


@main.command()
@_CONFIG
@_STATE_DIR
@click.option("--json", "as_json", is_flag=True, help="The whole document.")
def status(config: Path | None, state_dir: Path | None, as_json: bool) -> None:
    """Show how the agent on this machine is. Ends with 0 when it is ready, 1 when not, 3 when none runs."""
    from tradewind_agent import settings

    directory = state_dir or settings.state_dir_of(config)
    found = status_file.read(directory)
    if found is None or not status_file.alive(found):
        click.echo(f"no agent runs from {directory}", err=True)
        sys.exit(3)
    click.echo(json.dumps(found, indent=1) if as_json else status_file.text(found))
    sys.exit(1 if found.get("not_ready") else 0)
