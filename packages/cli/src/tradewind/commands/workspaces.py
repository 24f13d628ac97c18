"""`tradewind workspaces`: Deployments that belong together."""

from __future__ import annotations

from typing import Any, Final

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage
from tradewind.output import Column, moment
from tradewind_protocol import platform

_NO_QUOTA: Final = "none"


def _at_most(context: click.Context, option: click.Parameter, value: str | None) -> int | str | None:
    """The number, or `none`. None where the option was not given."""
    if value in (None, _NO_QUOTA):
        return value
    found: int | None = click.IntRange(min=0)(value, option, context)
    return found


def _count(one: platform.WorkspaceView) -> str:
    """How many Deployments it has, as far as the caller may know, and how many it may have."""
    if one.deployments_at_most is None:
        return "" if one.deployments is None else str(one.deployments)
    if one.deployments is None:
        return f"at most {one.deployments_at_most}"
    return f"{one.deployments} of {one.deployments_at_most}"


_COLUMNS = (
    Column("NAME", lambda one: one.name),
    Column("ID", lambda one: str(one.id)),
    Column("DEPLOYMENTS", _count),
    Column("DEFAULT CLUSTER", lambda one: one.default_cluster_name),
    Column("CREATED BY", lambda one: one.created_by),
    Column("CREATED", lambda one: moment(one.created_at)),
    Column("DESCRIPTION", lambda one: one.description, wide=True),
)


_at_most_option = click.option(
    "--deployments-at-most",
    callback=_at_most,
    metavar=f"N|{_NO_QUOTA}",
    help="Its quota of Deployments; none: no limit. Only an owner of the organization sets it.",
)
_default_cluster_option = click.option(
    "--default-cluster", help="Name or ID of the cluster of its Deployments that name none."
)


@click.group()
def workspaces() -> None:
    """Create, list, show, change and delete workspaces of a platform."""


@workspaces.command()
@click.argument("name")
@click.option("--description", default="", help="A description.")
@_at_most_option
@_default_cluster_option
@reason_option
@output_option
@pass_session
def create(
    session: Session,
    name: str,
    description: str,
    deployments_at_most: int | str | None,
    default_cluster: str | None,
    reason: str,
) -> None:
    """Create a workspace."""
    ask = operation_commands.valid(
        platform.NewWorkspace,
        name=name,
        description=description,
        deployments_at_most=None if deployments_at_most == _NO_QUOTA else deployments_at_most,
        default_cluster=default_cluster,
    )
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
    session.output.page(page, _COLUMNS, none="There is no workspace.")


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
@click.option("--description", help="A description.")
@_at_most_option
@_default_cluster_option
@click.option("--no-default-cluster", is_flag=True, help="Let it have no default cluster.")
@click.option("--if-revision", type=int, help="Refuse the change when the workspace has another revision.")
@reason_option
@output_option
@pass_session
def edit(
    session: Session,
    workspace: str,
    name: str | None,
    description: str | None,
    deployments_at_most: int | str | None,
    default_cluster: str | None,
    no_default_cluster: bool,
    if_revision: int | None,
    reason: str,
) -> None:
    """Change the settings that are given, and keep the others."""
    if default_cluster is not None and no_default_cluster:
        raise BadUsage("--default-cluster names a cluster, and --no-default-cluster takes it away")
    given: dict[str, Any] = {
        "name": name,
        "description": description,
        "deployments_at_most": deployments_at_most,
        "default_cluster": default_cluster,
    }
    sent = {key: value for key, value in given.items() if value is not None}
    if deployments_at_most == _NO_QUOTA:
        sent["deployments_at_most"] = None
    if no_default_cluster:
        sent["default_cluster"] = None
    ask = operation_commands.valid(platform.ChangeWorkspace, **sent)
    with session.platform() as client:
        changed = client.change_workspace(workspace, ask, if_revision=if_revision, reason=reason)
    _show(session, changed)
    if "deployments_at_most" in sent:
        _say_above_quota(session, changed)


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


def _say_above_quota(session: Session, one: platform.WorkspaceView) -> None:
    if (
        one.deployments is None
        or one.deployments_at_most is None
        or one.deployments <= one.deployments_at_most
    ):
        return
    session.output.say(
        f"Workspace {one.name!r} is above its quota of Deployments: it has {one.deployments} of {one.deployments_at_most}. All of them go on; "
        "none is created or restored there until it has room again."
    )


def _show(session: Session, found: platform.WorkspaceView) -> None:
    if session.output.is_json:
        session.output.data(found)
        return
    session.output.facts(
        [
            ("Name", found.name),
            ("ID", str(found.id)),
            ("Description", found.description),
            ("Deployments", _count(found)),
            ("Default cluster", found.default_cluster_name),
            ("Revision", str(found.revision)),
            ("Created", f"{moment(found.created_at)} by {found.created_by}"),
            ("Changed", f"{moment(found.updated_at)} by {found.updated_by}"),
        ]
    )
