"""`tradewind audit`: the audit trail of a platform."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeVar

import click

from tradewind.commands.options import output_option, page_options
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment

Function = TypeVar("Function", bound=Callable[..., Any])
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
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


def _filters(function: Function) -> Function:
    """Options that say which events are meant."""
    for option in (
        click.option("--target", help="Only what was done to this, such as deployment:sales."),
        click.option("--action", help="Only this action, such as deployment.create."),
        click.option("--actor", help="Only what this user or token did."),
        click.option("--until", callback=_moment, help="Only before this moment: as --since."),
        click.option(
            "--since",
            callback=_moment,
            help="Only from this moment on: 8h, 30d (ago), or ISO 8601, in UTC without a zone.",
        ),
    ):
        function = option(function)
    return function


def _moment(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    """The moment in ISO 8601. Raises BadParameter for what is neither a moment nor a time ago."""
    if value is None:
        return None
    ago = re.fullmatch(r"([0-9]{1,6})(s|m|h|d)", value)
    if ago is not None:
        return (datetime.now(timezone.utc) - timedelta(seconds=int(ago[1]) * _SECONDS[ago[2]])).isoformat()
    try:
        found = datetime.fromisoformat(value.removesuffix("Z") + ("+00:00" if value.endswith("Z") else ""))
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is no moment, such as 2026-03-01 or 2026-03-01T12:00Z, nor 8h or 30d"
        ) from None
    return (found if found.tzinfo else found.replace(tzinfo=timezone.utc)).isoformat()


@audit.command("list")
@_filters
@page_options
@output_option
@pass_session
def list_(session: Session, /, limit: int, offset: int, **filters: str | None) -> None:
    """List changes that were made or refused, the newest first."""
    with session.platform() as client:
        page = client.audit(**filters, limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="There is no such event.")


@audit.command()
@_filters
@pass_session
def export(session: Session, /, **filters: str | None) -> None:
    """Print each change that was made or refused as a line of JSON, the oldest first."""
    with session.platform() as client:
        for line in client.audit_export(**filters):
            click.echo(line)
