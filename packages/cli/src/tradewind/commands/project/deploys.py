"""`tradewind project deploys`: what was deployed to a Deployment, and back to it."""

from __future__ import annotations

from uuid import UUID

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, page_options, reason_option, wait_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage
from tradewind.output import Column, moment
from tradewind_protocol.deploys import DeployView, RollBack

deployment_option = click.option("--deployment", help="The Deployment of a platform.")

_COLUMNS = (
    Column("ID", lambda one: str(one.id)),
    Column("STATUS", lambda one: one.status),
    Column("CURRENT", lambda one: "yes" if one.is_current else ""),
    Column("AIRFLOW", lambda one: one.airflow),
    Column("CODE", lambda one: code_of(one)),
    Column("COMMIT", lambda one: _commit(one)),
    Column("BY", lambda one: one.created_by),
    Column("CREATED", lambda one: moment(one.created_at)),
    Column("DESCRIPTION", lambda one: one.description, wide=True),
)


@click.group()
def deploys() -> None:
    """List what was deployed to a Deployment's plane, and roll it back."""


@deploys.command("list")
@deployment_option
@page_options
@output_option
@pass_session
def list_(session: Session, deployment: str | None, limit: int, offset: int) -> None:
    """List the deploys of 90 days, the newest first."""
    name = chosen(session, deployment)
    with session.platform() as client:
        page = client.deploys(name, limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="Nothing was deployed to it.")


@deploys.command()
@click.argument("deploy", required=False, type=click.UUID)
@deployment_option
@click.option("--description", default="", help="The reason, for the history.")
@wait_option
@reason_option
@output_option
@pass_session
def rollback(
    session: Session,
    deploy: UUID | None,
    deployment: str | None,
    description: str,
    wait: bool,
    reason: str,
) -> None:
    """Bring back what a Deployment has had: DEPLOY, or what it had before the present one.

    Before the first deploy that is the environment of its cluster. Refused when the database has other migrations by now: restore
    a backup then.
    """
    name = chosen(session, deployment)
    ask = operation_commands.valid(RollBack, deploy=deploy, description=description)
    with session.platform() as client:
        begun = client.roll_back(name, ask, reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
    session.output.say(f"Deployment {begun.deployment_name!r} {'is' if wait else 'is being'} rolled back.")


def chosen(session: Session, deployment: str | None) -> str:
    """The Deployment that is meant. Raises BadUsage when none is named."""
    name = deployment or session.deployment
    if name is None:
        raise BadUsage("no Deployment is named", remedy="Name it: --deployment NAME.")
    return name


def code_of(one: DeployView) -> str:
    """A digest to tell it from others by, or where the code is from."""
    if not one.digest and not one.image:
        return "the cluster's own"
    return (one.digest or one.image.rpartition("@")[2])[:19]


def _commit(one: DeployView) -> str:
    if one.git is None:
        return ""
    return one.git.commit[:10] + ("+" if one.git.is_dirty else "")
