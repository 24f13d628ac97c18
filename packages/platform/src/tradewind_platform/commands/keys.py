"""`tradewind platform keys`: the keys that encrypt secrets at rest."""

from __future__ import annotations

from pathlib import Path

import click

from tradewind.errors import CommandError
from tradewind_platform.clock import utc_now
from tradewind_platform.commands.home import home_options, opened_home
from tradewind_platform.security import at_rest
from tradewind_platform.security.key_ring import KeyProblem


@click.group()
def keys() -> None:
    """The keys that encrypt secrets at rest."""


@keys.command("list")
@home_options
def list_(home: Path, database_url_file: Path | None) -> None:
    """List the keys' ids, the one that encrypts first."""
    with opened_home(home, database_url_file) as (_, ring):
        for id in ring.ids:
            click.echo(id)


@keys.command()
@home_options
def rotate(home: Path, database_url_file: Path | None) -> None:
    """Make a new key and encrypt every secret with it. A platform that runs goes on.

    The old keys stay in the file until `tradewind platform keys remove`. Make a backup of the file.
    """
    with opened_home(home, database_url_file) as (store, ring):
        made, count = at_rest.rotate(store, ring, now=utc_now())
    click.echo(f"The key {made} encrypts from now on; {count} values were encrypted anew.")


@keys.command()
@click.argument("key")
@home_options
def remove(key: str, home: Path, database_url_file: Path | None) -> None:
    """Take an old key out of the file. Refused while a value is encrypted with it."""
    with opened_home(home, database_url_file) as (store, ring):
        try:
            at_rest.remove_key(store, ring, key)
        except KeyProblem as error:
            raise CommandError(str(error)) from None
    click.echo(f"The key {key} is removed.")
