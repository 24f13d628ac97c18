"""`tradewind tokens`: what an agent needs to sign in."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from tradewind.commands import find
from tradewind.commands.session import Session, output_option, page_options, pass_session, reason_option
from tradewind.errors import BadUsage
from tradewind.output import Column, moment
from tradewind.private_files import new_private_file
from tradewind_protocol import operator

_COLUMNS = (
    Column("NAME", lambda token: token.name),
    Column("BEGINS WITH", lambda token: token.prefix),
    Column("EXPIRES", lambda token: moment(token.expires_at) if token.expires_at else "never"),
    Column("LAST USED", lambda token: moment(token.last_used_at) if token.last_used_at else "never"),
    Column("MADE BY", lambda token: token.created_by),
    Column("DESCRIPTION", lambda token: token.description, wide=True),
)


@click.group()
def tokens() -> None:
    """Agent tokens: make, list, look at, delete."""


@tokens.command()
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="Left out: it never expires.")
@click.option(
    "--to-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the value there, readable by you only, instead of showing it.",
)
@output_option
@pass_session
def create(
    session: Session, name: str, description: str, expires_in_days: int | None, to_file: Path | None
) -> None:
    """Make an agent token. Its value is shown this once and kept nowhere."""
    try:
        ask = operator.NewToken(name=name, description=description, expires_in_days=expires_in_days)
    except ValueError:
        raise BadUsage(
            f"{name!r} is not a name: use letters, digits and . _ @ : / -, beginning with a letter or digit"
        ) from None
    with ExitStack() as stack:
        file = stack.enter_context(new_private_file(to_file)) if to_file else None
        client = stack.enter_context(session.connect())
        made = client.create_token(ask)
        if file is not None:
            file.write(made.token + "\n")
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
    if session.output.is_json:
        session.output.data(page)
    else:
        session.output.rows(page.items, _COLUMNS, none="There is no agent token.")


@tokens.command()
@click.argument("token")
@output_option
@pass_session
def get(session: Session, token: str) -> None:
    """Show one agent token, by name or id; never its value."""
    with session.connect() as client:
        view = find.token(client, token)
    if session.output.is_json:
        session.output.data(view)
        return
    session.output.facts(
        [
            ("Name", view.name),
            ("Id", str(view.id)),
            ("Description", view.description),
            ("Begins with", view.prefix),
            ("Made", f"{moment(view.created_at)} by {view.created_by or 'nobody known'}"),
            ("Expires", moment(view.expires_at) if view.expires_at else "never"),
            ("Last used", moment(view.last_used_at) if view.last_used_at else "never"),
        ]
    )


@tokens.command()
@click.argument("token")
@click.option("--yes", is_flag=True, help="Do not ask.")
@reason_option
@output_option
@pass_session
def delete(session: Session, token: str, yes: bool, reason: str) -> None:
    """Delete an agent token. The sessions opened with it end within seconds."""
    with session.connect() as client:
        view = find.token(client, token)
        if not yes:
            click.confirm(f"Delete {view.name!r} and end the sessions of its agents?", abort=True, err=True)
        client.delete_token(view.id, reason=reason)
    if session.output.is_json:
        session.output.data(view)
    session.output.say(f"Agent token {view.name!r} is deleted.")
