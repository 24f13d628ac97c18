"""`tradewind platform admin`: make administrators."""

from __future__ import annotations

import os
from pathlib import Path

import click
from sqlalchemy.orm import Session

from tradewind.errors import BadUsage, CommandError
from tradewind_platform.clock import utc_now
from tradewind_platform.commands.home import home_options, opened_home
from tradewind_platform.domain.origins import origin_of
from tradewind_platform.domain.roles import ORGANIZATION, Binding, Role
from tradewind_platform.services import api_tokens, local_accounts, people
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


@admin.command("sign-in-link")
@click.argument("name", required=False)
@home_options
@click.option(
    "--url", default="http://127.0.0.1:8700", show_default=True, help="Where browsers reach the platform."
)
def sign_in_link(name: str | None, home: Path, database_url_file: Path | None, url: str) -> None:
    """Print a link that signs a user in once, within 15 minutes, without password and identity provider.

    Without NAME, while there is no user: a link that makes the first administrator, within 24 hours.
    """
    try:
        origin = origin_of(url)
    except ValueError as error:
        raise BadUsage(f"--url: {error}") from None
    with opened_home(home, database_url_file) as (store, _):
        organization = people.first_organization(store, "Tradewind", now=utc_now())
        try:
            with store.transaction(organization) as db:
                code = _code(db, name)
                local_accounts.record_link(db, name, now=utc_now())
        except Refused as error:
            raise CommandError(error.refusal.message, remedy=error.refusal.remedy) from None
    click.echo("The link works once. This is the only time it is shown:", err=True)
    click.echo(f"{origin}/welcome?code={code}")


def _code(db: Session, name: str | None) -> str:
    if name is not None:
        return local_accounts.new_break_glass_link(db, name, now=utc_now())
    code = local_accounts.new_first_link(db, now=utc_now())
    if code is None:
        raise BadUsage(
            "the platform has users, so the link needs the name of one",
            remedy="tradewind platform admin sign-in-link NAME",
        )
    return code
