"""`tradewind platform down`."""

from __future__ import annotations

from pathlib import Path

import click

from tradewind.errors import BadUsage, CommandError
from tradewind_platform.commands.home import local_home
from tradewind_platform.home import AlreadyRuns, PlatformSettings, alone
from tradewind_platform.local.processes import Processes


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tradewind-platform"),
    show_default=True,
    help="Directory of the platform.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def down(home: Path, yes: bool) -> None:
    """Stop every Deployment of this machine and their gateway, once the platform itself is stopped.

    Their data stays, and `tradewind platform run` starts them again.
    """
    home = home.resolve()
    if not home.is_dir():
        raise BadUsage(f"there is no platform in {home}", remedy="Name its directory with --home.")
    if not yes:
        click.confirm(f"Stop every Deployment of {home}? Their agents' work fails or waits", abort=True)
    try:
        with alone(PlatformSettings(home)):
            count = Processes(str(local_home(home))).stop_all()
    except AlreadyRuns as error:
        raise CommandError(str(error), remedy="Stop it first: it starts again what does not run.") from None
    click.echo(f"{count} processes were stopped.")
