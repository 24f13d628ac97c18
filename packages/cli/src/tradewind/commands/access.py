"""`tradewind access`: who may do what on a platform, and why."""

from __future__ import annotations

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column
from tradewind_protocol import people

_BINDINGS = (
    Column("ID", lambda one: str(one.id)),
    Column("KIND", lambda one: one.kind),
    Column("SUBJECT", lambda one: one.subject_name),
    Column("ROLE", lambda one: one.role),
    Column("SCOPE", lambda one: _scope(one)),
    Column("BY", lambda one: one.created_by),
)
_PATHS = (
    Column("ROLE", lambda one: one.role),
    Column("ON", lambda one: one.scope),
    Column("THROUGH", lambda one: f"team {one.team}" if one.team else "the user"),
    Column("IN AIRFLOW", lambda one: one.airflow_role or ""),
)


@click.group()
def access() -> None:
    """Bind roles to users and teams, and explain who may do what."""


@access.command()
@click.argument("subject")
@click.argument("role")
@click.option("--team", is_flag=True, help="SUBJECT is a team. Default: a user.")
@click.option("--workspace", help="On this workspace.")
@click.option("--deployment", help="On this Deployment. Neither: on the organization.")
@reason_option
@output_option
@pass_session
def bind(
    session: Session,
    subject: str,
    role: str,
    team: bool,
    workspace: str | None,
    deployment: str | None,
    reason: str,
) -> None:
    """Give SUBJECT a role. You must have all that the role allows."""
    ask = operation_commands.valid(
        people.BindRole,
        **{"team" if team else "user": subject},
        role=role,
        workspace=workspace,
        deployment=deployment,
    )
    with session.platform() as client:
        made = client.bind_role(ask, reason=reason)
    if session.output.is_json:
        session.output.data(made)
    session.output.say(f"{made.kind} {made.subject_name!r} has the role {made.role} on {_scope(made)}.")


@access.command()
@click.argument("binding")
@reason_option
@pass_session
def unbind(session: Session, binding: str, reason: str) -> None:
    """Take a role away, by the id that `access list` shows."""
    with session.platform() as client:
        client.unbind_role(binding, reason=reason)
    session.output.say(f"Role binding {binding} is removed.")


@access.command("list")
@click.option("--user", help="Only roles of this user.")
@click.option("--team", help="Only roles of this team.")
@page_options
@output_option
@pass_session
def list_(session: Session, user: str | None, team: str | None, limit: int, offset: int) -> None:
    """List which roles users and teams have."""
    filters = {name: one for name, one in (("user", user), ("team", team)) if one is not None}
    with session.platform() as client:
        page = client.role_bindings(limit=limit, offset=offset, **filters)
    session.output.page(page, _BINDINGS, none="No role is bound.")


@access.command()
@click.argument("user")
@click.option("--workspace", help="On this workspace.")
@click.option("--deployment", help="On this Deployment. Neither: on the organization.")
@output_option
@pass_session
def explain(session: Session, user: str, workspace: str | None, deployment: str | None) -> None:
    """Say what a user may do, and by which roles and teams."""
    target = {name: one for name, one in (("workspace", workspace), ("deployment", deployment)) if one}
    with session.platform() as client:
        found = client.explain_access(user, **target)
    if session.output.is_json:
        session.output.data(found)
        return
    session.output.rows(found.paths, _PATHS, none=f"{found.user} has no role on {found.target}.")
    if found.disabled:
        session.output.say(f"{found.user} is disabled, and may do nothing.")
    elif found.permissions:
        session.output.say(f"{found.user} may, on {found.target}: {', '.join(found.permissions)}")


def _scope(one: people.RoleBindingView) -> str:
    if one.deployment is not None:
        return f"Deployment {one.deployment_name}"
    return "the organization" if one.workspace is None else f"workspace {one.workspace_name}"
