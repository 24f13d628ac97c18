"""`tradewind deployments`: the Deployments of a platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tradewind.commands import component_logs as log_commands
from tradewind.commands import hibernation as hibernation_commands
from tradewind.commands import maintenance as maintenance_commands
from tradewind.commands import operations as operation_commands
from tradewind.commands import upgrades as upgrade_commands
from tradewind.commands.environment import variable_of, variables_of
from tradewind.commands.options import output_option, page_options, reason_option, wait_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage, CommandError
from tradewind.output import Column, moment
from tradewind_protocol import platform


def _megabytes(workload: platform.WorkloadView | None) -> str:
    """Of its metadata database."""
    size = None if workload is None else workload.database_bytes
    return "" if size is None else f"{size / 2**20:,.0f} MiB"


def _agents(workload: platform.WorkloadView | None) -> str:
    return "-" if workload is None else f"{workload.healthy_agents}/{workload.agents}"


_COLUMNS = (
    Column("NAME", lambda one: one.name),
    Column("WORKSPACE", lambda one: one.workspace_name),
    Column("CLUSTER", lambda one: one.cluster_name),
    Column("PHASE", lambda one: one.phase),
    Column("HEALTH", lambda one: one.health),
    Column("VERSION", lambda one: one.version or "-"),
    Column("AGENTS", lambda one: _agents(one.workload)),
    Column("RUNNING", lambda one: "-" if one.workload is None else str(one.workload.running)),
    Column("QUEUED", lambda one: "-" if one.workload is None else str(one.workload.queued)),
    Column("AGENT URL", lambda one: one.agent_url),
    Column("NOTE", lambda one: one.health_reason, wide=True),
)
_CONDITIONS = (
    Column("CONDITION", lambda one: one.type),
    Column("STATUS", lambda one: one.status),
    Column("SINCE", lambda one: moment(one.since)),
    Column("MESSAGE", lambda one: f"{one.message} {one.remedy}".strip(), wide=True),
)


@click.group()
def deployments() -> None:
    """Create, list, show, change, move, delete, restore and purge Deployments of a platform."""


@deployments.command()
@click.argument("name")
@click.option("--workspace", default="default", show_default=True, help="Name or ID of the workspace.")
@click.option("--cluster", help="Name or ID of the cluster. Default: that of the workspace.")
@click.option("--description", default="", help="A description.")
@click.option(
    "--contact",
    "contact_emails",
    multiple=True,
    metavar="EMAIL",
    help="An address for questions about it. May be repeated.",
)
@click.option(
    "--policy", default="strict", show_default=True, help="The least strict data policy of its sites."
)
@click.option("--size", default="", help="A size that the cluster has. Default: the cluster's default size.")
@click.option(
    "--protect",
    "deletion_protection",
    is_flag=True,
    help="Refuse to delete it until the protection is taken away.",
)
@click.option("--version", help="Of Airflow. Default: the newest stable one that the cluster can run.")
@click.option(
    "--env",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="An environment variable that is no secret.",
)
@click.option(
    "--env-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Lines NAME=VALUE: environment variables whose values are never shown.",
)
@click.option(
    "--allow",
    "allowed_addresses",
    multiple=True,
    metavar="NETWORK",
    help="A network that agents may connect from. Default: from anywhere.",
)
@wait_option
@reason_option
@output_option
@pass_session
def create(
    session: Session,
    /,
    variables: tuple[str, ...],
    env_file: Path | None,
    wait: bool,
    reason: str,
    **fields: Any,
) -> None:
    """Create a Deployment: an Airflow with a database and keys of its own."""
    secret = [] if env_file is None else variables_of(env_file, secret=True)
    plain = [variable_of(one, f"--env {one}", secret=False) for one in variables]
    ask = operation_commands.valid(platform.NewDeployment, variables=[*plain, *secret], **fields)
    with session.platform() as client:
        made = client.create_deployment(ask, reason=reason)
        made = operation_commands.changed(client, made, wait, session.output)
    _show(session, made)


@deployments.command("list")
@click.option("--workspace", help="Only Deployments of this workspace.")
@page_options
@output_option
@pass_session
def list_(session: Session, workspace: str | None, limit: int, offset: int) -> None:
    """List Deployments."""
    with session.platform() as client:
        page = client.deployments(workspace=workspace, limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="There is no Deployment.")


@deployments.command()
@click.argument("deployment")
@output_option
@pass_session
def get(session: Session, deployment: str) -> None:
    """Show one Deployment, by name or ID, with its conditions."""
    with session.platform() as client:
        _show(session, client.deployment(deployment))


@deployments.command()
@click.argument("deployment")
@output_option
@pass_session
def health(session: Session, deployment: str) -> None:
    """Show each condition of a Deployment; exit 1 unless it is healthy."""
    with session.platform() as client:
        found = client.deployment(deployment)
    if session.output.is_json:
        session.output.data(found)
    else:
        session.output.rows(found.conditions, _CONDITIONS, none="Nothing was observed of it yet.")
    if found.health != "healthy":
        raise CommandError(
            f"Deployment {found.name!r} is {found.health}"
            + (f": {found.health_reason}" if found.health_reason else "")
        )


@deployments.command("open")
@click.argument("deployment")
@output_option
@pass_session
def open_(session: Session, deployment: str) -> None:
    """Open the Airflow of a Deployment in the browser. Its address is printed, also where there is none."""
    with session.platform() as client:
        found = client.deployment(deployment)
    if session.output.is_json:
        session.output.data(found)
    else:
        click.echo(found.people_url)
    browser = session.browser()
    if browser is None or not browser(found.people_url):
        click.echo("No browser was found on this machine: open the address yourself.", err=True)


@deployments.command()
@click.argument("deployment")
@click.option("--description", help="A description.")
@click.option(
    "--contact",
    "contact_emails",
    multiple=True,
    metavar="EMAIL",
    help="An address for questions about it, in place of the present ones. May be repeated.",
)
@click.option("--no-contacts", is_flag=True, help="Take every contact away.")
@click.option("--policy", help="The least strict data policy of its sites. Its processes are restarted.")
@click.option("--size", help="A size that its cluster has; '' for the default. Its processes are restarted.")
@click.option(
    "--protect/--no-protect", "deletion_protection", default=None, help="Refuse to delete it, or no longer."
)
@click.option("--if-revision", type=int, help="Refuse the change when the Deployment has another revision.")
@wait_option
@reason_option
@output_option
@pass_session
def edit(
    session: Session,
    /,
    deployment: str,
    contact_emails: tuple[str, ...],
    no_contacts: bool,
    if_revision: int | None,
    wait: bool,
    reason: str,
    **fields: Any,
) -> None:
    """Change the settings that are given, and keep the others."""
    if contact_emails and no_contacts:
        raise BadUsage("--contact and --no-contacts exclude each other")
    if contact_emails or no_contacts:
        fields["contact_emails"] = contact_emails
    given = {field: value for field, value in fields.items() if value is not None}
    ask = operation_commands.valid(platform.ChangeDeployment, **given)
    with session.platform() as client:
        found = client.change_deployment(deployment, ask, if_revision=if_revision, reason=reason)
        found = operation_commands.changed(client, found, wait, session.output)
    _show(session, found)


@deployments.command()
@click.argument("deployment")
@click.option("--workspace", required=True, help="Name or ID of the new workspace.")
@click.option("--if-revision", type=int, help="Refuse the move when the Deployment has another revision.")
@reason_option
@output_option
@pass_session
def move(session: Session, deployment: str, workspace: str, if_revision: int | None, reason: str) -> None:
    """Move a Deployment to another workspace. Other people have roles on it then; nothing is restarted."""
    ask = operation_commands.valid(platform.MoveDeployment, workspace=workspace)
    with session.platform() as client:
        found = client.move_deployment(deployment, ask, if_revision=if_revision, reason=reason)
    _show(session, found)
    if not session.output.is_json and found.observed_revision != found.revision:
        session.output.say(
            f"Settings of the workspace {found.workspace_name!r} are not applied: `tradewind environment apply {found.name}`."
        )


@deployments.command()
@click.argument("deployment")
@click.option("--yes", is_flag=True, help="Do not ask for the name.")
@wait_option
@reason_option
@output_option
@pass_session
def delete(session: Session, deployment: str, yes: bool, wait: bool, reason: str) -> None:
    """Delete a Deployment. Its data is kept for 14 days, in which it can be restored."""
    with session.platform() as client:
        found = client.deployment(deployment)
        _confirm(found, yes, "delete")
        begun = client.delete_deployment(str(found.id), reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
    session.output.say(
        f"Deployment {found.name!r} is {'' if wait else 'being '}deleted. Restore it with `tradewind deployments restore`."
    )


@deployments.command()
@click.argument("deployment")
@wait_option
@reason_option
@output_option
@pass_session
def restore(session: Session, deployment: str, wait: bool, reason: str) -> None:
    """Run a deleted Deployment again, with the data that it had."""
    with session.platform() as client:
        begun = client.restore_deployment(deployment, reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
    session.output.say(f"Deployment {begun.deployment_name!r} is {'' if wait else 'being '}restored.")


@deployments.command()
@click.argument("deployment")
@click.option("--yes", is_flag=True, help="Do not ask for the name.")
@wait_option
@reason_option
@output_option
@pass_session
def purge(session: Session, deployment: str, yes: bool, wait: bool, reason: str) -> None:
    """Erase the data of a deleted Deployment. Nothing brings it back."""
    with session.platform() as client:
        found = client.deployment(deployment)
        _confirm(found, yes, "erase all data of")
        begun = client.purge_deployment(str(found.id), found.name, reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
    session.output.say(f"The data of Deployment {found.name!r} is {'' if wait else 'being '}erased.")


for command in (
    *hibernation_commands.COMMANDS,
    *log_commands.COMMANDS,
    *maintenance_commands.COMMANDS,
    *upgrade_commands.COMMANDS,
):
    deployments.add_command(command)


def _confirm(found: platform.DeploymentView, yes: bool, what: str) -> None:
    if not yes:
        typed = click.prompt(f"Type the name {found.name!r} to {what} it", err=True)
        if typed != found.name:
            raise click.Abort()


def _show(session: Session, found: platform.DeploymentView) -> None:
    if session.output.is_json:
        session.output.data(found)
        return
    session.output.facts(
        [
            ("Name", found.name),
            ("ID", str(found.id)),
            ("Workspace", found.workspace_name),
            ("Cluster", found.cluster_name),
            ("Description", found.description),
            ("Contacts", ", ".join(found.contact_emails)),
            ("Phase", found.phase),
            ("Health", found.health),
            ("Agent URL", found.agent_url),
            ("Airflow", found.people_url),
            ("Version", found.version),
            ("Database", _megabytes(found.workload)),
            ("Policy", found.policy),
            ("Size", found.size or "the default of its cluster"),
            ("Protected", "yes" if found.deletion_protection else ""),
            ("Revision", f"{found.revision}, applied: {found.observed_revision}"),
            ("Operation", str(found.operation) if found.operation else ""),
            ("Purged", f"after {moment(found.purge_after)}" if found.purge_after else ""),
            ("Created", f"{moment(found.created_at)} by {found.created_by}"),
        ]
    )
    wrong = [one for one in found.conditions if one.status != "true" or one.message]
    if wrong:
        click.echo()
        session.output.rows(wrong, _CONDITIONS, none="")
