"""The command `tradewind-agent doctor`."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from tradewind_agent.cli.options import settings_options
from tradewind_agent.errors import AgentError


@click.command()
@settings_options
@click.option("--metrics-port", type=int, help="Port of /healthz, /readyz and /metrics; 0 turns it off.")
@click.option(
    "--expect-private", is_flag=True, help="Fail unless the plane's name has private addresses only."
)
@click.option(
    "--public-resolver",
    default="",
    metavar="ADDRESS",
    help="With --expect-private: also ask this DNS server of the internet, to compare.",
)
@click.option(
    "--long",
    is_flag=False,
    flag_value=360.0,
    default=0.0,
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Also measure when a connection without traffic is dropped. Takes 360 s, or as long as given.",
)
@click.option("--connection", "connections", multiple=True, help="Read this connection as a task does.")
@click.option("--variable", "read_variables", multiple=True, help="Read this variable as a task does.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "report"]),
    default="text",
    help="Default: text. The report is for the owner of the plane: the way to it, and nothing secret.",
)
def doctor(
    config: Path | None,
    expect_private: bool,
    public_resolver: str,
    long: float,
    connections: tuple[str, ...],
    read_variables: tuple[str, ...],
    output: str,
    **flags: Any,
) -> None:
    """Check what an agent with these settings needs. Each line has verdict, evidence and remedy.

    Opens no session, so it may run beside the agent. Exits with 0 when an agent can work, also with warnings; 1 when
    a check fails that matters; 78 when the settings are wrong.
    """
    from tradewind_agent import settings
    from tradewind_agent.doctor import examination, report
    from tradewind_agent.doctor.examined import BackendReads
    from tradewind_agent.monitoring.version import agent_version
    from tradewind_agent.state import agent_user
    from tradewind_protocol.checks import Result, Verdict

    results: list[Result] = []

    def show(result: Result) -> None:
        results.append(result)
        if output == "text":
            click.echo(examination.line(result))

    plane_url = ""

    async def examine(loaded: settings.Settings) -> None:
        nonlocal plane_url
        plane_url = loaded.plane_url
        read = BackendReads(connections, read_variables)
        checks = examination.examine(
            loaded, expect_private=expect_private, public_resolver=public_resolver, long=long, read=read
        )
        async for result in checks:
            show(result)

    status_code = 0
    try:
        asyncio.run(examine(agent_user.become(settings.load(flags, config=config))))
    except AgentError as error:
        show(examination.unreadable(error.message, error.remedy))
        status_code = error.exit_code
    if output == "json":
        click.echo(examination.document(results))
    if output == "report":
        now = datetime.now(timezone.utc)
        click.echo(report.text(results, plane_url=plane_url, version=agent_version(), now=now))
    failed = examination.overall(results) is Verdict.FAILED
    sys.exit(status_code or (1 if failed else 0))
