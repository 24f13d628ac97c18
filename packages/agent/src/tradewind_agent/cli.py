"""The command: `tradewind-agent run`, `tradewind-agent status`, `tradewind-agent doctor`."""

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


@main.command()
@_CONFIG
@click.option("--plane-url", help="Address of the orchestration plane.")
@click.option("--token-file", type=click.Path(path_type=Path), help="File that holds the agent token.")
@click.option("--name", help="The agent's name. Default: the host name.")
@_STATE_DIR
@click.option("--components", help="worker,dag_processor,triggerer or some of them. Default: all.")
@click.option("--interpreter", type=click.Path(path_type=Path), help="Python of the task environment.")
@click.option("--policy", type=click.Choice(["strict", "open"]), help="The data boundary. Default: strict.")
@click.option("--metrics-port", type=int, help="Port of /healthz, /readyz and /metrics; 0: off.")
@click.option(
    "--expect-private", is_flag=True, help="The plane's name has to lead to private addresses only."
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", help="Default: text.")
def doctor(config: Path | None, expect_private: bool, output: str, **flags: Any) -> None:
    """Check everything an agent with these settings needs, one line each: verdict, evidence, remedy.

    Opens no session, so it may run beside the agent. Ends with 0 when an agent can work, also with warnings; 1 when
    something that matters fails; 78 when the settings themselves are wrong.
    """
    from tradewind_agent import settings
    from tradewind_agent.doctor import examination
    from tradewind_agent.doctor.results import Result, Verdict

    results: list[Result] = []

    def show(result: Result) -> None:
        results.append(result)
        if output == "text":
            click.echo(examination.line(result))

    async def examine(loaded: settings.Settings) -> None:
        async for result in examination.examine(loaded, expect_private=expect_private):
            show(result)

    status_code = 0
    try:
        asyncio.run(examine(settings.load(flags, config=config)))
    except AgentError as error:
        show(examination.unreadable(error.message, error.remedy))
        status_code = error.exit_code
    if output == "json":
        click.echo(examination.document(results))
    failed = examination.overall(results) is Verdict.FAILED
    sys.exit(status_code or (1 if failed else 0))
