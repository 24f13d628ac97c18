"""`tradewind users`: people of a platform, and who is invited."""

from __future__ import annotations

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment
from tradewind_protocol import people

_COLUMNS = (
    Column("NAME", lambda one: one.name),
    Column("STATUS", lambda one: one.status),
    Column("E-MAIL", lambda one: one.email),
    Column("SIGNS IN BY", lambda one: ", ".join(one.signs_in_by)),
    Column("TEAMS", lambda one: ", ".join(one.teams), wide=True),
    Column("SIGNED IN", lambda one: moment(one.signed_in_at) if one.signed_in_at else "never"),
)
_INVITES = (
    Column("ID", lambda one: str(one.id)),
    Column("E-MAIL", lambda one: one.email),
    Column("ROLE", lambda one: one.role),
    Column("STATUS", lambda one: one.status),
    Column("EXPIRES", lambda one: moment(one.expires_at)),
    Column("CREATED BY", lambda one: one.created_by),
    Column("ACCEPTED BY", lambda one: one.accepted_by, wide=True),
)


@click.group()
def users() -> None:
    """See, disable and invite people of a platform."""


@users.command("list")
@page_options
@output_option
@pass_session
def list_(session: Session, limit: int, offset: int) -> None:
    """List users."""
    with session.platform() as client:
        page = client.users(limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="There is no user.")


@users.command()
@click.argument("user")
@output_option
@pass_session
def get(session: Session, user: str) -> None:
    """Show a user."""
    with session.platform() as client:
        found = client.user(user)
    if session.output.is_json:
        session.output.data(found)
    else:
        session.output.rows([found], _COLUMNS, none="")


@users.command()
@click.argument("user")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@pass_session
def disable(session: Session, user: str, yes: bool, reason: str) -> None:
    """End all sessions of a user, and let neither them nor their tokens in again."""
    if not yes:
        click.confirm(f"Disable the user {user!r}?", abort=True, err=True)
    with session.platform() as client:
        client.change_user(user, people.ChangeUser(disabled=True), reason=reason)
    session.output.say(f"User {user!r} is disabled.")


@users.command()
@click.argument("user")
@reason_option
@pass_session
def enable(session: Session, user: str, reason: str) -> None:
    """Let a user sign in again."""
    with session.platform() as client:
        client.change_user(user, people.ChangeUser(disabled=False), reason=reason)
    session.output.say(f"User {user!r} is enabled.")


@users.command("end-sessions")
@click.argument("user")
@reason_option
@pass_session
def end_sessions(session: Session, user: str, reason: str) -> None:
    """End all sessions of a user, who may sign in again."""
    with session.platform() as client:
        client.end_sessions(user, reason=reason)
    session.output.say(f"The sessions of {user!r} are ended.")


@users.command()
@click.argument("email")
@click.option("--role", required=True, help="The role that the person gets at the first sign-in.")
@click.option("--workspace", help="Its scope is this workspace.")
@click.option("--deployment", help="Its scope is this Deployment. Neither: the organization.")
@click.option(
    "--expires-in-days",
    type=click.IntRange(1, 90),
    default=14,
    show_default=True,
    help="Days for which the invite can be accepted.",
)
@reason_option
@output_option
@pass_session
def invite(
    session: Session,
    email: str,
    role: str,
    workspace: str | None,
    deployment: str | None,
    expires_in_days: int,
    reason: str,
) -> None:
    """Give a role to the person with an e-mail address that the identity provider has verified."""
    ask = operation_commands.valid(
        people.NewInvite,
        email=email,
        role=role,
        workspace=workspace,
        deployment=deployment,
        expires_in_days=expires_in_days,
    )
    with session.platform() as client:
        made = client.invite(ask, reason=reason)
    if session.output.is_json:
        session.output.data(made)
    session.output.say(f"{made.email} gets the role {made.role} at the next sign-in.")


@users.command()
@page_options
@output_option
@pass_session
def invites(session: Session, limit: int, offset: int) -> None:
    """List invites."""
    with session.platform() as client:
        page = client.invites(limit=limit, offset=offset)
    session.output.page(page, _INVITES, none="There is no invite.")


@users.command("withdraw-invite")
@click.argument("invite")
@reason_option
@pass_session
def withdraw_invite(session: Session, invite: str, reason: str) -> None:
    """Withdraw an invite that was not accepted yet, by its id."""
    with session.platform() as client:
        client.withdraw_invite(invite, reason=reason)
    session.output.say(f"Invite {invite} is withdrawn.")
