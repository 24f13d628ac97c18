"""`tradewind operations`: what a platform is doing to its Deployments, step by step."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from tradewind.client.platform_client import PlatformClient
from tradewind.commands.options import output_option, page_options, reason_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage, CommandError
from tradewind.output import Column, Output, moment
from tradewind_protocol import platform

Asked = TypeVar("Asked", bound=BaseModel)

_COLUMNS = (
    Column("ID", lambda one: str(one.id)),
    Column("DEPLOYMENT", lambda one: one.deployment_name),
    Column("KIND", lambda one: one.kind),
    Column("STATE", lambda one: one.state),
    Column("BY", lambda one: one.created_by),
    Column("CREATED", lambda one: moment(one.created_at)),
    Column("ERROR", lambda one: one.error, wide=True),
)
_STEPS = (
    Column("STEP", lambda one: one.name),
    Column("STATE", lambda one: one.state),
    Column("TRIES", lambda one: str(one.tries)),
    Column("STARTED", lambda one: moment(one.started_at)),
    Column("ENDED", lambda one: moment(one.ended_at)),
    Column("MESSAGE", lambda one: one.message, wide=True),
)


@click.group()
def operations() -> None:
    """List, show, await, cancel and retry operations of a platform."""


@operations.command("list")
@click.option("--deployment", help="Only operations of this Deployment.")
@page_options
@output_option
@pass_session
def list_(session: Session, deployment: str | None, limit: int, offset: int) -> None:
    """List operations, the newest first."""
    with session.platform() as client:
        page = client.operations(deployment=deployment, limit=limit, offset=offset)
    session.output.page(page, _COLUMNS, none="There is no operation.")


@operations.command()
@click.argument("operation")
@output_option
@pass_session
def get(session: Session, operation: str) -> None:
    """Show one operation with its steps."""
    with session.platform() as client:
        _show(session.output, client.operation(operation))


@operations.command()
@click.argument("operation")
@output_option
@pass_session
def wait(session: Session, operation: str) -> None:
    """Return when an operation has ended; exit 1 if it failed."""
    with session.platform() as client:
        _show(session.output, wait_for(client, operation, session.output))


@operations.command()
@click.argument("operation")
@click.option("--wait", is_flag=True, help="Return when it has ended; exit 1 if it could not be cancelled.")
@reason_option
@output_option
@pass_session
def cancel(session: Session, operation: str, wait: bool, reason: str) -> None:
    """End an operation between two steps.

    What it did is undone where that is possible. An upgrade whose route is open again goes on.
    """
    with session.platform() as client:
        found = client.cancel_operation(operation, reason=reason)
        if wait:
            found = _ended(client, str(found.id), session.output)
    _show(session.output, found)
    if wait and found.state != "cancelled":
        raise CommandError(f"{found.kind} of {found.deployment_name!r} was not cancelled: it {found.state}")


@operations.command()
@click.argument("operation")
@reason_option
@output_option
@pass_session
def retry(session: Session, operation: str, reason: str) -> None:
    """Begin a failed operation again, at the step that failed.

    Where options or variables were set since, the processes of the Deployment are given these.
    """
    with session.platform() as client:
        _show(session.output, client.retry_operation(operation, reason=reason))


def wait_for(client: PlatformClient, operation: str, output: Output) -> platform.OperationView:
    """The operation once it has succeeded. Names each step as it begins. Raises CommandError when it failed or was cancelled."""
    found = _ended(client, operation, output)
    if found.state == "succeeded":
        return found
    if found.state == "cancelled":
        raise CommandError(f"{found.kind} of {found.deployment_name!r} was {found.error}")
    raise CommandError(
        f"{found.kind} of {found.deployment_name!r} failed: {found.error}",
        remedy=f"Correct the cause, then: tradewind operations retry {found.id}",
    )


def _ended(client: PlatformClient, operation: str, output: Output) -> platform.OperationView:
    named = ""
    while True:
        found = client.operation(operation)
        running = next((one.name for one in found.steps if one.state == "running"), named)
        if running != named and not output.is_json:
            click.echo(f"{found.kind} {found.deployment_name}: {running}", err=True)
            named = running
        if found.state in ("succeeded", "failed", "cancelled"):
            return found
        time.sleep(0.5)


def settled(client: PlatformClient, deployment: str) -> platform.DeploymentView:
    """The Deployment once its health was observed."""
    while True:
        found = client.deployment(deployment)
        if found.health != "unknown" or found.operation is not None:
            return found
        time.sleep(0.5)


def changed(
    client: PlatformClient, found: platform.DeploymentView, wait: bool, output: Output
) -> platform.DeploymentView:
    """The Deployment, where that was asked for once the operation that changes it has succeeded and its health was observed."""
    if not wait or found.operation is None:
        return found
    wait_for(client, str(found.operation), output)
    return settled(client, str(found.id))


def finish(client: PlatformClient, begun: platform.OperationView, wait: bool, output: Output) -> None:
    """Wait for the operation where that was asked for, and print it where JSON was."""
    if wait:
        begun = wait_for(client, str(begun.id), output)
    if output.is_json:
        output.data(begun)


def valid(kind: type[Asked], **fields: Any) -> Asked:
    """The request. Raises BadUsage naming the option that makes no sense."""
    try:
        return kind(**fields)
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(str(part) for part in first["loc"]).replace("_", "-")
        raise BadUsage(f"{where}: {first['msg']}") from None


def _show(output: Output, found: platform.OperationView) -> None:
    if output.is_json:
        output.data(found)
        return
    output.facts(
        [
            ("ID", str(found.id)),
            ("Deployment", found.deployment_name),
            ("Kind", found.kind),
            ("State", found.state),
            ("Error", found.error),
            ("Created", f"{moment(found.created_at)} by {found.created_by}"),
            ("Ended", moment(found.ended_at) if found.ended_at else ""),
        ]
    )
    click.echo()
    output.rows(found.steps, _STEPS, none="No step has begun.")
