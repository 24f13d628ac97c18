"""`tradewind deployments maintenance` and `clean-up`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import gathered, output_option, reason_option, wait_option
from tradewind.commands.session import Session, pass_session
from tradewind.errors import BadUsage
from tradewind.output import moment
from tradewind_protocol import platform_life

now_option = click.option("--now", is_flag=True, help="Begin also outside the maintenance windows.")
_KEEP_ROWS: Final = 90
_KEEP_BACKUPS: Final = 30


@click.command("clean-up")
@click.argument("deployment")
@click.option(
    "--keep-days",
    type=click.IntRange(1, 3650),
    default=_KEEP_ROWS,
    show_default=True,
    help="Delete rows that are older than this.",
)
@now_option
@wait_option
@reason_option
@output_option
@pass_session
def clean_up(session: Session, deployment: str, keep_days: int, now: bool, wait: bool, reason: str) -> None:
    """Delete old rows of a Deployment's database while it runs."""
    ask = platform_life.CleanUp(keep_days=keep_days, now=now)
    with session.platform() as client:
        begun = client.clean_up(deployment, ask, reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
        if session.output.is_json:
            return
        last = client.maintenance(deployment).clean_up.last if wait else None
    if last is None:
        session.output.say(f"The database of {begun.deployment_name!r} is being cleaned up.")
    else:
        session.output.facts(_last(last))


@dataclass(frozen=True)
class MaintenanceOptions:
    """What is asked to be changed."""

    windows: tuple[tuple[str, int], ...]
    no_window: bool
    clean_up_cron: str | None
    keep_rows_days: int | None
    no_clean_up: bool
    backups_cron: str | None
    keep_backups_days: int | None
    no_backups: bool
    follow: str | None
    no_follow: bool

    def fields(self, found: platform_life.MaintenanceView) -> dict[str, Any]:
        """The fields to change, and their values. Raises BadUsage."""
        fields: dict[str, Any] = {}
        if self.windows or self.no_window:
            fields["windows"] = [
                {"opens_at_cron": cron, "minutes": minutes} for cron, minutes in self.windows
            ]
        if self.follow or self.no_follow:
            fields["follows"] = None if self.no_follow else self.follow
        if self.no_clean_up:
            fields["clean_up"] = None
        elif self.clean_up_cron or self.keep_rows_days:
            fields["clean_up"] = _recurring_work(
                "clean-up", self.clean_up_cron, self.keep_rows_days, found.clean_up, _KEEP_ROWS
            )
        if self.no_backups:
            fields["backups"] = None
        elif self.backups_cron or self.keep_backups_days:
            fields["backups"] = _recurring_work(
                "backups", self.backups_cron, self.keep_backups_days, found.backups, _KEEP_BACKUPS
            )
        return fields


def _recurring_work(
    name: str, cron: str | None, days: int | None, before: platform_life.RecurringWorkView, usual: int
) -> dict[str, Any]:
    """Recurring work as it was, but for what is asked. Raises BadUsage when nothing says at which moments."""
    if not (cron or before.cron):
        raise BadUsage(f"there are no recurring {name} yet: name a cron expression")
    return {
        "cron": cron or before.cron,
        "keep_days": days or before.keep_days or usual,
        "is_enabled": True,
    }


@click.command()
@click.argument("deployment")
@click.option(
    "--window",
    "windows",
    nargs=2,
    multiple=True,
    type=(str, int),
    metavar="CRON MINUTES",
    help="Upgrades and clean-ups begin only for so many minutes from each moment of the cron expression, in UTC. May be repeated.",
)
@click.option("--no-window", is_flag=True, help="They may begin at any time.")
@click.option("--clean-up", "clean_up_cron", metavar="CRON", help="Delete old rows at these moments, in UTC.")
@click.option("--keep-rows-days", type=click.IntRange(1, 3650), help=f"Of --clean-up. Default: {_KEEP_ROWS}.")
@click.option("--no-clean-up", is_flag=True, help="Delete rows on request only.")
@click.option("--backups", "backups_cron", metavar="CRON", help="Back up at these moments, in UTC.")
@click.option(
    "--keep-backups-days", type=click.IntRange(1, 3650), help=f"Of --backups. Default: {_KEEP_BACKUPS}."
)
@click.option("--no-backups", is_flag=True, help="Back up on request and before an upgrade only.")
@click.option(
    "--follow",
    metavar="MINOR",
    help="Upgrade to the newest stable release of 3.3, say, while a window is open.",
)
@click.option("--no-follow", is_flag=True, help="Upgrade on request only.")
@reason_option
@output_option
@gathered(MaintenanceOptions, "asked")
@pass_session
def maintenance(session: Session, deployment: str, asked: MaintenanceOptions, reason: str) -> None:
    """Show when the platform works on a Deployment by itself, or change that."""
    with session.platform() as client:
        found = client.maintenance(deployment)
        if fields := asked.fields(found):
            ask = operation_commands.valid(platform_life.ChangeMaintenance, **fields)
            found = client.change_maintenance(deployment, ask, reason=reason)
    _show(session, found)


COMMANDS: Final = (clean_up, maintenance)
"""Of the group `tradewind deployments`."""


def _show(session: Session, found: platform_life.MaintenanceView) -> None:
    if session.output.is_json:
        session.output.data(found)
        return
    opens = "open" if found.is_open else f"closed; the next one opens at {moment(found.opens_at)}"
    session.output.facts(
        [
            *(
                (f"Window {number}", f"from {one.opens_at_cron!r} for {one.minutes} minutes")
                for number, one in enumerate(found.windows, 1)
            ),
            ("Windows", opens if found.windows else "none: upgrades and clean-ups begin at any time"),
            ("Upgrades", _followed(found)),
            *_recurring("Clean-up", found.clean_up),
            *_recurring("Backups", found.backups),
        ]
    )


def _followed(found: platform_life.MaintenanceView) -> str:
    if not found.follows:
        return "on request only"
    begun = f"; begun last: {found.followed}" if found.followed else ""
    return f"to the newest release of {found.follows}{begun}"


def _recurring(name: str, found: platform_life.RecurringWorkView) -> list[tuple[str, str]]:
    says = "never by itself"
    if found.is_enabled:
        says = f"at {found.cron!r}, keeps {found.keep_days} days, next {moment(found.next_at)}"
    facts = [(name, says)]
    if found.last is not None:
        facts += [(f"{name}: {what.lower()}", value) for what, value in _last(found.last)]
    return facts


def _last(last: platform_life.LastWork) -> list[tuple[str, str]]:
    facts = [("Last", f"{last.state} at {moment(last.ended_at or last.created_at)}")]
    if last.error:
        facts.append(("Error", last.error))
    if last.rows is not None:
        tables = ", ".join(f"{table} {count}" for table, count in sorted(last.rows_by_table.items()))
        facts.append(("Rows deleted", f"{last.rows}{f': {tables}' if tables else ''}"))
        facts.append(("Tables left alone", ", ".join(sorted(last.skipped)) or "none"))
    if last.left_out:
        facts.append(("Dags left out", f"{', '.join(last.left_out)}: an old run has not ended"))
    return facts
