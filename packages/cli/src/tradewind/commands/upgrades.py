"""`tradewind deployments upgrade`, `rollback`, `releases` and `backups`."""

from __future__ import annotations

from typing import Any, Final

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.maintenance import now_option
from tradewind.commands.options import output_option, page_options, reason_option, wait_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import Column, moment
from tradewind_protocol import platform_life

_CHECKS: Final = (
    Column("CHECK", lambda one: one["check"]),
    Column("VERDICT", lambda one: one["verdict"]),
    Column("MESSAGE", lambda one: f"{one['message']} {one['remedy']}".strip(), wide=True),
)
_BACKUPS: Final = (
    Column("ID", lambda one: str(one.id)),
    Column("STATE", lambda one: one.state),
    Column("VERSION", lambda one: one.version),
    Column("MB", lambda one: f"{one.size / 1e6:.1f}"),
    Column("CREATED", lambda one: moment(one.created_at)),
    Column("BY", lambda one: one.created_by),
    Column("KEPT UNTIL", lambda one: moment(one.keep_until)),
)
_RELEASES: Final = (
    Column("VERSION", lambda one: one.version),
    Column("CHANNEL", lambda one: one.channel),
    Column("CLUSTERS", lambda one: ", ".join(one.clusters)),
)


@click.command()
@page_options
@output_option
@pass_session
def releases(session: Session, limit: int, offset: int) -> None:
    """List the versions of Airflow that a Deployment may have."""
    with session.platform() as client:
        page = client.releases(limit=limit, offset=offset)
    session.output.page(page, _RELEASES, none="There is no release.")


@click.command()
@click.argument("deployment")
@click.option("--to", "version", required=True, help="The new version of Airflow.")
@click.option("--dry-run", is_flag=True, help="Show what the upgrade would meet, and change nothing.")
@now_option
@wait_option
@reason_option
@output_option
@pass_session
def upgrade(
    session: Session, deployment: str, version: str, dry_run: bool, now: bool, wait: bool, reason: str
) -> None:
    """Upgrade a Deployment. Its tasks go on meanwhile.

    A backup is made first. When the new version does not serve, the Deployment is brought back to what it was.
    """
    ask = operation_commands.valid(platform_life.Upgrade, version=version, dry_run=dry_run, now=now)
    with session.platform() as client:
        begun = client.upgrade(deployment, ask, reason=reason)
        if not dry_run:
            operation_commands.finish(client, begun, wait, session.output)
            session.output.say(
                f"Deployment {begun.deployment_name!r} {'runs' if wait else 'is being upgraded to'} {version}."
            )
            return
        ended = operation_commands.wait_for(client, str(begun.id), session.output)
    if session.output.is_json:
        session.output.data(ended)
        return
    checks: list[dict[str, Any]] = ended.facts["preflight"]
    session.output.rows(checks, _CHECKS, none="")


@click.command()
@click.argument("deployment")
@click.option("--backup", required=True, help="ID of the backup.")
@click.option("--accept-loss", is_flag=True, help="Forget the runs that began since the backup.")
@wait_option
@reason_option
@output_option
@pass_session
def rollback(
    session: Session, deployment: str, backup: str, accept_loss: bool, wait: bool, reason: str
) -> None:
    """Restore a backup of a Deployment, with the version that it had.

    Without --accept-loss it says how many runs would be forgotten, and changes nothing.
    """
    ask = platform_life.RestoreBackup(accept_loss=accept_loss)
    with session.platform() as client:
        begun = client.restore_backup(deployment, backup, ask, reason=reason)
        operation_commands.finish(client, begun, wait or not accept_loss, session.output)
    session.output.say(
        f"Deployment {begun.deployment_name!r} {'is' if wait else 'is being brought'} back at the backup."
    )


@click.group()
def backups() -> None:
    """Create, list and restore backups of a Deployment's database."""


@backups.command()
@click.argument("deployment")
@click.option(
    "--keep-days", type=click.IntRange(1, 3650), default=30, show_default=True, help="Days to keep it."
)
@wait_option
@reason_option
@output_option
@pass_session
def create(session: Session, deployment: str, keep_days: int, wait: bool, reason: str) -> None:
    """Back up the database of a Deployment while it runs."""
    with session.platform() as client:
        ask = platform_life.NewBackup(keep_days=keep_days)
        begun = client.create_backup(deployment, ask, reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
    session.output.say(f"Deployment {begun.deployment_name!r} is {'' if wait else 'being '}backed up.")


@backups.command("list")
@click.argument("deployment")
@page_options
@output_option
@pass_session
def list_(session: Session, deployment: str, limit: int, offset: int) -> None:
    """List the backups of a Deployment, the newest first."""
    with session.platform() as client:
        page = client.backups(deployment, limit=limit, offset=offset)
    session.output.page(page, _BACKUPS, none="There is no backup.")


backups.add_command(rollback, "restore")

COMMANDS: Final = (upgrade, rollback, releases, backups)
"""Of the group `tradewind deployments`."""
