"""`tradewind teams`: people who have roles together."""

from __future__ import annotations

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column
from tradewind_protocol import people

_COLUMNS = (
    Column("NAME", lambda one: one.name),
    Column("MEMBERS FROM", lambda one: "identity provider" if one.idp_managed else "people"),
    Column("MEMBERS", lambda one: ", ".join(member.name for member in one.members), wide=True),
    Column("DESCRIPTION", lambda one: one.description, wide=True),
)


@click.group()
def teams() -> None:
    """Create, fill and delete teams of a platform."""


@teams.command()
@click.argument("name")
@click.option("--description", default="", help="A description.")
@click.option("--idp-managed", is_flag=True, help="Its members come from the identity provider only.")
@reason_option
@output_option
@pass_session
def create(session: Session, name: str, description: str, idp_managed: bool, reason: str) -> None:
    """Create a team."""
    ask = operation_commands.valid(
        people.NewTeam, name=name, description=description, idp_managed=idp_managed
    )
    with session.platform() as client:
        made = client.create_team(ask, reason=reason)
    if session.output.is_json:
        session.output.data(made)
    session.output.say(f"Team {made.name!r} is created.")


@teams.command("list")
@page_options
@output_option
@pass_session
def list_(session: Session, limit: int, offset: int) -> None:
    """List teams with their members."""
    with session.platform() as client:
        page = client.teams(limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="There is no team.")


@teams.command()
@click.argument("team")
@click.argument("user")
@reason_option
@pass_session
def add(session: Session, team: str, user: str, reason: str) -> None:
    """Put a user into a team whose members people choose."""
    with session.platform() as client:
        client.add_member(team, operation_commands.valid(people.AddMember, user=user), reason=reason)
    session.output.say(f"{user} is in the team {team!r}.")


@teams.command()
@click.argument("team")
@click.argument("user")
@reason_option
@pass_session
def remove(session: Session, team: str, user: str, reason: str) -> None:
    """Take a user out of a team whose members people choose."""
    with session.platform() as client:
        client.remove_member(team, user, reason=reason)
    session.output.say(f"{user} is not in the team {team!r} any more.")


@teams.command()
@click.argument("team")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@pass_session
def delete(session: Session, team: str, yes: bool, reason: str) -> None:
    """Delete a team. Its roles end with it."""
    if not yes:
        click.confirm(f"Delete the team {team!r}?", abort=True, err=True)
    with session.platform() as client:
        client.delete_team(team, reason=reason)
    session.output.say(f"Team {team!r} is deleted.")
