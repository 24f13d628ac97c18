"""`tradewind deployments logs`."""

from __future__ import annotations

from typing import Final

import click

from tradewind.commands.options import output_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import printable


@click.command()
@click.argument("deployment")
@click.option(
    "--component", default="api-server", show_default=True, help="api-server, scheduler or migrate."
)
@click.option(
    "--lines",
    type=click.IntRange(1, 2000),
    default=200,
    show_default=True,
    help="Show at most this many lines.",
)
@output_option
@pass_session
def logs(session: Session, deployment: str, component: str, lines: int) -> None:
    """Show the last lines that a component of a Deployment has written.

    The file that they are from is named on standard error. Secrets that the platform knows of are masked.
    """
    with session.platform() as client:
        found = client.component_log(deployment, component, lines=lines)
    if session.output.is_json:
        session.output.data(found)
        return
    click.echo(f"{found.component}: {printable(found.source)}", err=True)
    for line in found.lines:
        # Code of the Deployment has written it, and a terminal obeys what it is sent.
        click.echo(printable(click.unstyle(line).expandtabs()))


COMMANDS: Final = (logs,)
