"""`tradewind scim`: an identity provider pushes people and groups to a platform."""

from __future__ import annotations

import os
from pathlib import Path

import click

from tradewind.commands.options import output_option, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import moment
from tradewind_protocol import people


@click.group()
def scim() -> None:
    """Let the identity provider push people and groups (SCIM 2.0)."""


@scim.command()
@output_option
@pass_session
def get(session: Session) -> None:
    """Show whether SCIM is on, its address, and what is known of its token."""
    with session.platform() as client:
        found = client.scim()
    if session.output.is_json:
        session.output.data(found)
        return
    token = (
        f"{found.prefix}… of {moment(found.created_at)}, by {found.created_by}" if found.prefix else "none"
    )
    session.output.facts(
        [
            ("SCIM", "on" if found.enabled else "off"),
            ("Base URL", found.base_url),
            ("Token", token),
            ("Last used", moment(found.last_used_at)),
            ("People", str(found.users)),
            ("Groups", str(found.groups)),
        ]
    )


@scim.command("create-token")
@click.option(
    "--overlap-minutes",
    type=click.IntRange(0, 10080),
    default=60,
    show_default=True,
    help="Minutes for which the previous token stays valid.",
)
@click.option(
    "--to-file", type=click.Path(path_type=Path), help="Write the token to this new file, mode 0600."
)
@reason_option
@output_option
@pass_session
def create_token(session: Session, overlap_minutes: int, to_file: Path | None, reason: str) -> None:
    """Turn SCIM on, or replace its token. The value is shown once."""
    with session.platform() as client:
        made = client.create_scim_token(people.NewScimToken(overlap_minutes=overlap_minutes), reason=reason)
    if to_file is not None:
        with open(to_file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(made.token + "\n")
        session.output.say(f"The SCIM token is in {to_file}. The base URL is {made.base_url}.")
    elif session.output.is_json:
        session.output.data(made)
    else:
        click.echo(f"The SCIM token for {made.base_url}. This is the only time it is shown:", err=True)
        click.echo(made.token)


@scim.command("revoke-token")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@pass_session
def revoke_token(session: Session, yes: bool, reason: str) -> None:
    """Turn SCIM off. People, groups and teams stay as they are."""
    if not yes:
        click.confirm("Turn SCIM off?", abort=True, err=True)
    with session.platform() as client:
        client.revoke_scim_token(reason=reason)
    session.output.say("SCIM is off: the identity provider pushes nothing any more.")
