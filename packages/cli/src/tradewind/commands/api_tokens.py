"""`tradewind api-tokens`: tokens of a platform's API."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment
from tradewind_protocol import platform

_COLUMNS = (
    Column("NAME", lambda one: one.name),
    Column("ROLE", lambda one: one.role),
    Column("OWNER", lambda one: one.owner),
    Column("PREFIX", lambda one: one.prefix),
    Column("CREATED BY", lambda one: one.created_by),
    Column("EXPIRES", lambda one: moment(one.expires_at) if one.expires_at else "never"),
    Column("LAST USED", lambda one: moment(one.last_used_at) if one.last_used_at else "never"),
)
_to_file = click.option(
    "--to-file", type=click.Path(path_type=Path), help="Write the value to this new file, mode 0600."
)


@click.group("api-tokens")
def api_tokens() -> None:
    """Create, list, rotate and delete tokens of a platform's API."""


@api_tokens.command()
@click.argument("name")
@click.option("--role", required=True, help="The role: workspace_operator, deployment_admin, …")
@click.option("--workspace", help="Its scope is this workspace.")
@click.option("--deployment", help="Its scope is this Deployment. Neither: the organization.")
@click.option("--expires-in-days", type=click.IntRange(1, 3650), help="Default: never.")
@click.option("--personal", is_flag=True, help="It never has more than you have at the moment.")
@click.option("--description", default="", help="A description.")
@_to_file
@reason_option
@output_option
@pass_session
def create(
    session: Session,
    name: str,
    role: str,
    workspace: str | None,
    deployment: str | None,
    expires_in_days: int | None,
    personal: bool,
    description: str,
    to_file: Path | None,
    reason: str,
) -> None:
    """Create a token with one role on one scope. Its value is shown this once."""
    ask = operation_commands.valid(
        platform.NewApiToken,
        name=name,
        role=role,
        workspace=workspace,
        deployment=deployment,
        expires_in_days=expires_in_days,
        personal=personal,
        description=description,
    )
    with session.platform() as client:
        _given(session, client.create_api_token(ask, reason=reason), to_file)


@api_tokens.command("list")
@page_options
@output_option
@pass_session
def list_(session: Session, limit: int, offset: int) -> None:
    """List API tokens."""
    with session.platform() as client:
        page = client.api_tokens(limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="There is no API token.")


@api_tokens.command()
@click.argument("token")
@click.option(
    "--overlap-minutes",
    type=click.IntRange(0, 10080),
    default=60,
    show_default=True,
    help="Minutes for which the previous value stays valid.",
)
@_to_file
@reason_option
@output_option
@pass_session
def rotate(session: Session, token: str, overlap_minutes: int, to_file: Path | None, reason: str) -> None:
    """Give a token a new value. The previous value stays valid for the overlap."""
    ask = platform.RotateApiToken(overlap_minutes=overlap_minutes)
    with session.platform() as client:
        _given(session, client.rotate_api_token(token, ask, reason=reason), to_file)


@api_tokens.command()
@click.argument("token")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@pass_session
def delete(session: Session, token: str, yes: bool, reason: str) -> None:
    """Delete a token. It is refused from then on."""
    if not yes:
        click.confirm(f"Delete the API token {token!r}?", abort=True, err=True)
    with session.platform() as client:
        client.delete_api_token(token, reason=reason)
    session.output.say(f"API token {token!r} is deleted.")


def _given(session: Session, made: platform.ApiTokenCreated, to_file: Path | None) -> None:
    if to_file is not None:
        with open(to_file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(made.token + "\n")
        click.echo(f"The value of API token {made.name!r} is in {to_file}.", err=True)
    elif session.output.is_json:
        session.output.data(made)
    else:
        click.echo(f"The value of API token {made.name!r}. This is the only time it is shown:", err=True)
        click.echo(made.token)
