"""`tradewind platform admin`: make administrators."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tradewind.errors import CommandError
from tradewind_platform.clock import utc_now
from tradewind_platform.commands.home import home_options, opened_home
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.services import api_tokens, people
from tradewind_protocol.errors import Refused


@click.group()
def admin() -> None:
    """Make administrators, on the platform's machine."""


@admin.command()
@click.argument("name")
@home_options
@click.option("--to-file", type=click.Path(path_type=Path), help="Write the token here, mode 0600.")
def create(name: str, home: Path, database_url_file: Path | None, to_file: Path | None) -> None:
    """Make a user who owns the organization, and print a personal API token of theirs. It is shown this once."""
    with opened_home(home, database_url_file) as (store, _):
        organization = people.first_organization(store, "Tradewind", now=utc_now())
        try:
            with store.transaction(organization) as db:
                user = people.create_owner(db, name, now=utc_now())
                made = api_tokens.made(
                    db,
                    name=name,
                    binding=Binding(Role.ORGANIZATION_OWNER, ORGANIZATION),
                    owner=user.id,
                    by=people.SYSTEM.name,
                    now=utc_now(),
                )
                people.record_admin(db, name, now=utc_now())
        except Refused as error:
            raise CommandError(error.refusal.message, remedy=error.refusal.remedy) from None
    if to_file is not None:
        with open(to_file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(made.token + "\n")
        click.echo(f"The API token of {name} is in {to_file}.", err=True)
        return
    click.echo(f"The API token of {name}. This is the only time it is shown:", err=True)
    click.echo(made.token)
