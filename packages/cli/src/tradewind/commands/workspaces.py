"""`tradewind workspaces`: Deployments that belong together."""

from __future__ import annotations

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.session import Session, output_option, page_options, pass_session, reason_option
from tradewind.output import Column, moment
from tradewind_protocol import platform

_COLUMNS = (
    Column("NAME", lambda one: one.name),
    Column("ID", lambda one: str(one.id)),
    Column("CREATED BY", lambda one: one.created_by),
    Column("CREATED", lambda one: moment(one.created_at)),
    Column("DESCRIPTION", lambda one: one.description, wide=True),
)


@click.group()
def workspaces() -> None:
    """Create, list, show, change and delete workspaces of a platform."""


@workspaces.command()
@click.argument("name")
@click.option("--description", default="", help="For people.")
@reason_option
@output_option
@pass_session
def create(session: Session, name: str, description: str, reason: str) -> None:
    """Create a workspace."""
    ask = operation_commands.valid(platform.NewWorkspace, name=name, description=description)
    with session.platform() as client:
        made = client.create_workspace(ask, reason=reason)
    if session.output.is_json:
        session.output.data(made)
    session.output.say(f"Workspace {made.name!r} is created.")


@workspaces.command("list")
@page_options
@output_option
@pass_session
def list_(session: Session, limit: int, offset: int) -> None:
    """List workspaces."""
    with session.platform() as client:
        page = client.workspaces(limit=limit, offset=offset)
    if session.output.is_json:
        session.output.data(page)
    else:
        session.output.rows(page.items, _COLUMNS, none="There is no workspace.")


@workspaces.command()
@click.argument("workspace")
@output_option
@pass_session
def get(session: Session, workspace: str) -> None:
    """Show one workspace, by name or ID."""
    with session.platform() as client:
        _show(session, client.workspace(workspace))


@workspaces.command()
@click.argument("workspace")
@click.option("--name", help="Its new name.")
@click.option("--description", help="For people.")
@click.option("--if-revision", type=int, help="Refuse the change when the workspace has another revision.")
@reason_option
@output_option
@pass_session
def edit(
    session: Session,
    workspace: str,
    name: str | None,
    description: str | None,
    if_revision: int | None,
    reason: str,
) -> None:
    """Change what is given, and keep everything else."""
    given = {"name": name, "description": description}
    ask = operation_commands.valid(
        platform.ChangeWorkspace, **{key: value for key, value in given.items() if value is not None}
    )
    with session.platform() as client:
        _show(session, client.change_workspace(workspace, ask, if_revision=if_revision, reason=reason))


@workspaces.command()
@click.argument("workspace")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@reason_option
@pass_session
def delete(session: Session, workspace: str, yes: bool, reason: str) -> None:
    """Delete a workspace that has no Deployment."""
    if not yes:
        click.confirm(f"Delete the workspace {workspace!r}?", abort=True, err=True)
    with session.platform() as client:
        client.delete_workspace(workspace, reason=reason)
    session.output.say(f"Workspace {workspace!r} is deleted.")


def _show(session: Session, found: platform.WorkspaceView) -> None:
    if session.output.is_json:
        session.output.data(found)
        return
    session.output.facts(
        [
            ("Name", found.name),
            ("ID", str(found.id)),
            ("Description", found.description),
            ("Revision", str(found.revision)),
            ("Created", f"{moment(found.created_at)} by {found.created_by}"),
            ("Changed", f"{moment(found.updated_at)} by {found.updated_by}"),
        ]
    )
