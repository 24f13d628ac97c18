"""`tradewind audit`: the audit trail of a platform."""

from __future__ import annotations

import click

from tradewind.commands.session import Session, output_option, page_options, pass_session
from tradewind.output import Column, moment

_COLUMNS = (
    Column("TIME", lambda one: moment(one.at)),
    Column("ACTOR", lambda one: one.actor),
    Column("ACTION", lambda one: one.action),
    Column("TARGET", lambda one: one.target),
    Column("RESULT", lambda one: one.result),
    Column("ADDRESS", lambda one: one.address),
    Column("REASON", lambda one: one.reason, wide=True),
)


@click.group()
def audit() -> None:
    """Show who changed what, and what was refused."""


@audit.command("list")
@click.option("--actor", help="Only what this user or token did.")
@click.option("--action", help="Only this action, such as deployment.create.")
@click.option("--target", help="Only what was done to this, such as deployment:sales.")
@page_options
@output_option
@pass_session
def list_(
    session: Session, actor: str | None, action: str | None, target: str | None, limit: int, offset: int
) -> None:
    """List changes that were made or refused, the newest first."""
    with session.platform() as client:
        page = client.audit(actor=actor, action=action, target=target, limit=limit, offset=offset)
    if session.output.is_json:
        session.output.data(page)
    else:
        session.output.rows(page.items, _COLUMNS, none="There is no such event.")
