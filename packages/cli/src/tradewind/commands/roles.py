"""`tradewind roles`: what each role of a platform allows, and roles of one's own."""

from __future__ import annotations

from typing import Any

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage
from tradewind.output import Column
from tradewind_protocol import people

_ROLES = (
    Column("ROLE", lambda one: one.name),
    Column("ON", lambda one: one.level),
    Column("KIND", lambda one: "custom" if one.custom else "built in"),
    Column("IN AIRFLOW", lambda one: one.airflow_role or ""),
    Column("PERMISSIONS", lambda one: str(len(one.permissions))),
    Column("DESCRIPTION", lambda one: one.description, wide=True),
)
_AIRFLOW = ("viewer", "user", "op", "admin")
_NONE = "none"


@click.group()
def roles() -> None:
    """See what each role allows, and make roles of your own for Deployments."""


@roles.command("list")
@output_option
@pass_session
def list_(session: Session) -> None:
    """List roles."""
    with session.platform() as client:
        found = client.roles()
    if session.output.is_json:
        session.output.data(found)
    else:
        session.output.rows(found.roles, _ROLES, none="")


@roles.command()
@click.argument("role")
@output_option
@pass_session
def get(session: Session, role: str) -> None:
    """List what a role allows."""
    with session.platform() as client:
        found = client.role(role)
    if session.output.is_json:
        session.output.data(found)
        return
    for permission in found.permissions:
        click.echo(permission)
    if found.custom:
        where = "any workspace" if found.workspaces is None else ", ".join(map(str, found.workspaces))
        click.echo(
            f"In Airflow: {found.airflow_role or 'no role'}. Given on Deployments of {where}. Revision {found.revision}.",
            err=True,
        )


@roles.command()
@output_option
@pass_session
def permissions(session: Session) -> None:
    """List what a custom role may allow."""
    with session.platform() as client:
        found = client.permission_groups()
    if session.output.is_json:
        session.output.data(found)
        return
    for group in found.groups:
        for permission in group.permissions:
            click.echo(permission)


@roles.command()
@click.argument("name")
@click.option("--description", default="", help="A description.")
@click.option(
    "--allow",
    "allowed",
    multiple=True,
    metavar="PERMISSION",
    help="It allows this: `roles permissions` lists all.",
)
@click.option(
    "--airflow-role",
    type=click.Choice(_AIRFLOW, case_sensitive=False),
    help="Its role in Airflow. Default: none, so its holders do not sign in to Airflow.",
)
@click.option(
    "--workspace",
    "workspaces",
    multiple=True,
    help="It is given on Deployments of this workspace. Default: of any.",
)
@reason_option
@output_option
@pass_session
def create(
    session: Session,
    name: str,
    description: str,
    allowed: tuple[str, ...],
    airflow_role: str | None,
    workspaces: tuple[str, ...],
    reason: str,
) -> None:
    """Make a role for Deployments. You must have all that it allows. No other role ever gets its NAME."""
    ask = operation_commands.valid(
        people.NewRole,
        name=name,
        description=description,
        permissions=allowed,
        airflow_role=_airflow(airflow_role),
        workspaces=workspaces or None,
    )
    with session.platform() as client:
        made = client.create_role(ask, reason=reason)
    if session.output.is_json:
        session.output.data(made)
    session.output.say(
        f"Role {made.name!r} is created. Give it: `tradewind access bind USER {made.name} --deployment D`."
    )


@roles.command()
@click.argument("name")
@click.option("--description", help="A description.")
@click.option("--allow", "allowed", multiple=True, metavar="PERMISSION", help="It allows this, too.")
@click.option(
    "--disallow", "disallowed", multiple=True, metavar="PERMISSION", help="It does not allow this any more."
)
@click.option(
    "--airflow-role", type=click.Choice((*_AIRFLOW, _NONE), case_sensitive=False), help="Its role in Airflow."
)
@click.option(
    "--workspace",
    "workspaces",
    multiple=True,
    help="It is given on Deployments of these workspaces only, and no others.",
)
@click.option("--any-workspace", is_flag=True, help="It is given on Deployments of any workspace.")
@reason_option
@output_option
@pass_session
def update(
    session: Session,
    name: str,
    description: str | None,
    allowed: tuple[str, ...],
    disallowed: tuple[str, ...],
    airflow_role: str | None,
    workspaces: tuple[str, ...],
    any_workspace: bool,
    reason: str,
) -> None:
    """Change a role, at once for each user, team and token that has it."""
    if workspaces and any_workspace:
        raise BadUsage("--workspace and --any-workspace exclude each other")
    with session.platform() as client:
        before = client.role(name)
        fields: dict[str, Any] = {}
        if description is not None:
            fields["description"] = description
        if allowed or disallowed:
            fields["permissions"] = sorted((set(before.permissions) | set(allowed)) - set(disallowed))
        if airflow_role is not None:
            fields["airflow_role"] = _airflow(airflow_role)
        if workspaces or any_workspace:
            fields["workspaces"] = workspaces or None
        if not fields:
            raise BadUsage(
                "nothing to change", remedy="`tradewind roles update --help` lists what can change."
            )
        ask = operation_commands.valid(people.ChangeRole, **fields)
        changed = client.change_role(name, ask, if_revision=before.revision or 0, reason=reason)
    if session.output.is_json:
        session.output.data(changed)
    session.output.say(f"Role {changed.name!r} is changed, for each user, team and token that has it.")


@roles.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@pass_session
def delete(session: Session, name: str, yes: bool, reason: str) -> None:
    """Delete a role that no user, team, token or invite has. No other role ever gets its name."""
    if not yes:
        click.confirm(f"Delete the role {name!r}?", abort=True, err=True)
    with session.platform() as client:
        client.delete_role(name, reason=reason)
    session.output.say(f"Role {name!r} is deleted.")


def _airflow(name: str | None) -> str | None:
    return None if name is None or name == _NONE else name.upper()
