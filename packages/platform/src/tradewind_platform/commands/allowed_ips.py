"""`tradewind platform allowed-ips`: the way back in when the list of allowed addresses keeps everybody out."""

from __future__ import annotations

from pathlib import Path

import click

from tradewind_platform.clock import utc_now
from tradewind_platform.commands.home import home_options, opened_home
from tradewind_platform.services import allowed_addresses, people


@click.group("allowed-ips")
def allowed_ips() -> None:
    """Networks from which people and programs may use the platform, on the platform's machine."""


@allowed_ips.command("list")
@home_options
def list_(home: Path, database_url_file: Path | None) -> None:
    """List the networks."""
    with opened_home(home, database_url_file) as (store, _):
        organization = people.first_organization(store, "Tradewind", now=utc_now())
        with store.reading(organization) as db:
            found = allowed_addresses.view(db)
    for one in found.networks:
        click.echo(f"{one.network}  {one.description}".rstrip())
    if not found.networks:
        click.echo("Any address is allowed.", err=True)


@allowed_ips.command()
@click.option("--reason", default="", help="The reason, stored in the audit trail.")
@home_options
def clear(home: Path, database_url_file: Path | None, reason: str) -> None:
    """Allow any address. A platform that runs follows within a second."""
    with opened_home(home, database_url_file) as (store, _):
        organization = people.first_organization(store, "Tradewind", now=utc_now())
        with store.transaction(organization) as db:
            had_networks = allowed_addresses.clear(db, reason=reason, now=utc_now())
    click.echo(
        "Any address is allowed now." if had_networks else "Any address was allowed already.", err=True
    )
