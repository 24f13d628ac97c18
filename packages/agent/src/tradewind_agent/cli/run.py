"""The commands that run until they are stopped: `tradewind-agent run` and `sentinel`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from tradewind_agent.cli import exits
from tradewind_agent.cli.options import plane_url_option, policy_option, settings_options


@click.command()
@settings_options
@click.option("--queues", help="Queues to serve, separated by commas. Default: default.")
@click.option("--slots", type=int, help="Number of attempts at once. Default: 20.")
@click.option(
    "--grace", type=float, help="Seconds that running tasks have to end after a stop signal. Default: 600."
)
@click.option(
    "--metrics-port", type=int, help="Port of /healthz, /readyz and /metrics; 0 turns it off. Default: 39091."
)
@click.option("--log-format", type=click.Choice(["auto", "console", "json"]), help="Default: auto.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default: info.")
def run(config: Path | None, **flags: Any) -> None:
    """Run the agent until SIGTERM or Ctrl-C. A second signal stops running work at once.

    The token is never a flag: use --token-file, or the variable TRADEWIND_AGENT_TOKEN. Every setting has a variable
    TRADEWIND_AGENT_… and a key in the file. A flag wins over a variable, and a variable over the file.

    Exits with 0 after a drain, 3 when the plane refuses this agent for good, 4 when another process has taken its
    identity, 78 when a setting is wrong.
    """
    # Imported here: `status` and `--help` need none of it, and the plane is dialled sooner than a shell completes.
    from tradewind_agent import agent, settings
    from tradewind_agent.doctor import environments
    from tradewind_agent.kits import kernel
    from tradewind_agent.monitoring import logs
    from tradewind_agent.state import agent_user

    kernel.keep_capabilities()
    kernel.refuse_inspection()  # before the token is read: tasks may run as the same user
    with exits.with_its_code():
        loaded = agent_user.become(settings.load(flags, config=config))
        kernel.refuse_inspection()  # another user may be inspected again
        logs.configure(format=loaded.log_format, level=loaded.log_level)
        for warning in loaded.warnings():
            click.echo(f"warning: {warning}", err=True)
        reason = asyncio.run(agent.run(loaded, examine=environments.without_bundles))
    click.echo(f"tradewind-agent: stopped ({reason})", err=True)


@click.command()
@plane_url_option
@click.option(
    "--token-file", type=click.Path(path_type=Path), help="File that holds a token of kind sentinel."
)
@click.option("--name", help="The sentinel's name. Default: the host name.")
@click.option("--platform", type=click.Choice(["auto", "kubernetes", "machine"]), help="Default: auto.")
@click.option("--namespace", help="Kubernetes: namespace of the agents. Default: the pod's own.")
@click.option("--units", help="Machine: patterns of systemd units, separated by commas.")
@click.option("--state-dirs", help="Machine: state directories of agents, separated by commas.")
@policy_option
@click.option(
    "--port", type=int, help="Port of /healthz, /readyz, /metrics, /status; 0: off. Default: 39092."
)
def sentinel(**flags: Any) -> None:
    """Watch agents from outside and report what is wrong to the plane, until SIGTERM or Ctrl-C.

    Every setting has a variable TRADEWIND_SENTINEL_…. Exits with 0 after a stop, 78 when a setting is wrong.
    """
    from tradewind_agent.kits import kernel
    from tradewind_agent.monitoring import logs
    from tradewind_agent.sentinel import composition
    from tradewind_agent.sentinel import settings as sentinel_settings

    kernel.refuse_inspection()
    with exits.with_its_code("tradewind-agent sentinel"):
        loaded = sentinel_settings.load(flags)
        logs.configure(format=loaded.log_format, level=loaded.log_level)
        reason = asyncio.run(composition.run(loaded))
    click.echo(f"tradewind-agent sentinel: stopped ({reason})", err=True)
