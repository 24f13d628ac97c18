"""`tradewind events`: the audit trail."""

from __future__ import annotations

from datetime import datetime, timezone

import click

from tradewind.commands.options import output_option, page_options
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment

_COLUMNS = (
    Column("TIME", lambda event: moment(event.at)),
    Column("ACTION", lambda event: event.action),
    Column("ACTOR", lambda event: event.actor),
    Column("ADDRESS", lambda event: event.address),
    Column("SUBJECT", lambda event: event.subject),
    Column("REASON", lambda event: event.reason, wide=True),
)


@click.group()
def events() -> None:
    """List the audit trail: each change with its user, time and reason."""


@events.command("list")
@click.option("--action", help="Only this action, or a group of them such as 'token'.")
@click.option("--actor", help="Only by this user or agent.")
@click.option("--subject", help="Only about this subject, such as 'agent:eu-1'.")
@click.option("--address", help="Only from this address.")
@click.option("--since", type=click.DateTime(), help="Only from this time on (UTC).")
@page_options
@output_option
@pass_session
def list_(
    session: Session,
    action: str | None,
    actor: str | None,
    subject: str | None,
    address: str | None,
    since: datetime | None,
    limit: int,
    offset: int,
) -> None:
    """List events, the newest first."""
    after = None if since is None else since.replace(tzinfo=timezone.utc).isoformat()
    with session.connect() as client:
        page = client.events(
            action=action,
            actor=actor,
            subject=subject,
            address=address,
            since=after,
            limit=limit,
            offset=offset,
        )
    session.output.page(page, _COLUMNS, none="No event matches.")
