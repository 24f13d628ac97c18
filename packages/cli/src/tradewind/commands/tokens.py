"""`tradewind tokens`: the tokens with which agents connect."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from tradewind.client.operator_client import OperatorClient
from tradewind.client.private_files import new_private_file
from tradewind.commands import find
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage
from tradewind.output import Column, moment
from tradewind_protocol import operator, sites
from tradewind_protocol.ids import TokenKind

_AT_ONCE = 100

_COLUMNS = (
    Column("NAME", lambda token: token.name),
    Column("SITE", lambda token: token.site),
    Column("KIND", lambda token: token.kind.value),
    Column("PREFIX", lambda token: token.prefix),
    Column("EXPIRES", lambda token: moment(token.expires_at) if token.expires_at else "never"),
    Column("LAST USED", lambda token: moment(token.last_used_at) if token.last_used_at else "never"),
    Column("CREATED BY", lambda token: token.created_by),
    Column("DESCRIPTION", lambda token: token.description, wide=True),
)


@click.group()
def tokens() -> None:
    """Create, list, show, rotate and delete agent tokens."""


@tokens.command()
@click.argument("name")
@click.option(
    "--site",
    default=sites.DEFAULT,
    show_default=True,
    help="The site of the token's agents. Agents get only the work of their site's bundles.",
)
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in TokenKind]),
    default=TokenKind.AGENT.value,
    show_default=True,
    help="agent opens sessions; scaler reads the site's queue numbers and nothing else; sentinel reports for a sentinel.",
)
@click.option("--description", default="", help="A description of the token.")
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="Default: the token does not expire.")
@click.option(
    "--to-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the value to this file, readable by you only, and do not show it.",
)
@output_option
@pass_session
def create(
    session: Session,
    name: str,
    site: str,
    kind: str,
    description: str,
    expires_in_days: int | None,
    to_file: Path | None,
) -> None:
    """Create an agent token. Its value is shown once and not stored."""
    try:
        ask = operator.NewToken(
            name=name,
            site=site,
            kind=TokenKind(kind),
            description=description,
            expires_in_days=expires_in_days,
        )
    except ValueError:
        raise BadUsage(
            f"{name!r} or {site!r} is not a name: use letters, digits and . _ @ : / -, beginning with a letter or digit"
        ) from None
    with ExitStack() as stack:
        file = stack.enter_context(new_private_file(to_file)) if to_file else None
        client = stack.enter_context(session.connect())
        made = client.create_token(ask)
        if file is not None:
            file.write(made.token + "\n")
    _show_value(session, made, to_file)


@tokens.command()
@click.argument("token")
@click.option(
    "--overlap-hours",
    type=click.FloatRange(0, 24 * 90),
    default=24.0,
    show_default=True,
    help="Hours for which the old value stays valid; 0 ends it and its sessions at once.",
)
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="Default: the expiry stays.")
@click.option(
    "--to-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the value to this file, readable by you only, and do not show it.",
)
@reason_option
@output_option
@pass_session
def rotate(
    session: Session,
    token: str,
    overlap_hours: float,
    expires_in_days: int | None,
    to_file: Path | None,
    reason: str,
) -> None:
    """Give an agent token a new value. Agents keep running if you replace their token file in time."""
    ask = operator.RotateToken(overlap_hours=overlap_hours, expires_in_days=expires_in_days, reason=reason)
    with ExitStack() as stack:
        file = stack.enter_context(new_private_file(to_file)) if to_file else None
        client = stack.enter_context(session.connect())
        made = client.rotate_token(find.token(client, token).id, ask)
        if file is not None:
            file.write(made.token + "\n")
    _show_value(session, made, to_file)
    if not session.output.is_json and made.old_values_until is not None:
        click.echo(f"The old value is good until {moment(made.old_values_until)}.", err=True)


def _show_value(session: Session, made: operator.TokenCreated, to_file: Path | None) -> None:
    if session.output.is_json:
        session.output.data(made if to_file is None else operator.TokenView.model_validate(made.model_dump()))
    elif to_file is not None:
        click.echo(f"Agent token {made.name!r} is in {to_file}.")
    else:
        click.echo(f"Agent token {made.name!r}; this is the only time it is shown:", err=True)
        click.echo(made.token)


@tokens.command("list")
@page_options
@output_option
@pass_session
def list_(session: Session, limit: int, offset: int) -> None:
    """List agent tokens."""
    with session.connect() as client:
        page = client.tokens(limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="There is no agent token.")


@tokens.command()
@click.argument("token")
@output_option
@pass_session
def get(session: Session, token: str) -> None:
    """Show one agent token, by name or ID, without its value."""
    with session.connect() as client:
        view = find.token(client, token)
    if session.output.is_json:
        session.output.data(view)
        return
    session.output.facts(
        [
            ("Name", view.name),
            ("ID", str(view.id)),
            ("Site", view.site),
            ("Kind", view.kind.value),
            ("Description", view.description),
            ("Prefix", view.prefix),
            ("Created", f"{moment(view.created_at)} by {view.created_by or 'an unknown user'}"),
            ("Expires", moment(view.expires_at) if view.expires_at else "never"),
            ("Last used", moment(view.last_used_at) if view.last_used_at else "never"),
            ("Rotated", moment(view.rotated_at) if view.rotated_at else "never"),
            (
                "Old values",
                f"good until {moment(view.old_values_until)}" if view.old_values_until else "none",
            ),
        ]
    )


@tokens.command()
@click.argument("token", required=False)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Delete every agent token: after a backup of the database was restored.",
)
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@output_option
@pass_session
def delete(session: Session, token: str | None, every: bool, yes: bool, reason: str) -> None:
    """Delete an agent token, or all. The sessions opened with it end within seconds."""
    if (token is None) is not every:
        raise BadUsage("name one agent token, or give --all")
    with session.connect() as client:
        views = _all(client) if token is None else [find.token(client, token)]
        named = f"all {len(views)} agent tokens" if token is None else repr(views[0].name)
        if not yes:
            click.confirm(f"Delete {named} and end the sessions of their agents?", abort=True, err=True)
        for view in views:
            client.delete_token(view.id, reason=reason)
    if session.output.is_json:
        session.output.data(views if every else views[0])
    for view in views:
        session.output.say(f"Agent token {view.name!r} is deleted.")


def _all(client: OperatorClient) -> list[operator.TokenView]:
    found: list[operator.TokenView] = []
    while True:
        page = client.tokens(limit=_AT_ONCE, offset=len(found))
        found += page.items
        if len(page.items) < _AT_ONCE:
            return found
