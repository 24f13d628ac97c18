"""`tradewind connectivity`: what the plane has seen of agents that do not connect."""

from __future__ import annotations

import click

from tradewind.commands.options import output_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment

_COLUMNS = (
    Column("LAST", lambda one: moment(one.last_at)),
    Column("TRIES", lambda one: str(one.tries)),
    Column("FROM", lambda one: one.source),
    Column("ENDPOINT", lambda one: one.endpoint or "public"),
    Column("REASON", lambda one: one.code.value),
    Column("MESSAGE", lambda one: one.message, wide=True),
)


@click.command()
@click.argument("address", default="")
@click.option("--endpoint", default="", help="A private endpoint, as aws:vpce-08d2bf15fac5001c9.")
@output_option
@pass_session
def connectivity(session: Session, address: str, endpoint: str) -> None:
    """Check the connectivity of ADDRESS, or of an endpoint: the tries of agents that were refused, and why.

    Without both, show the last refused tries from everywhere.
    """
    with session.connect() as client:
        found = client.connectivity(source=address, endpoint=endpoint)
    if session.output.is_json:
        session.output.data(found)
        return
    session.output.rows(found.refused, _COLUMNS, none="No try was refused within the last week.")
    if found.verdict:
        click.echo(found.verdict, err=True)
    if found.remedy:
        click.echo(f"What to do: {found.remedy}", err=True)
