"""`tradewind deployments hibernate`, `wake-up` and `hibernation`."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Final

import click

from tradewind.commands import operations as operation_commands
from tradewind.commands.options import output_option, reason_option, wait_option
from tradewind.commands.session import Session, pass_session
from tradewind.output import moment
from tradewind_protocol import platform_life

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def span(context: click.Context, option: click.Parameter, value: str | None) -> timedelta | None:
    """A span of time: `90s`, `30m`, `8h`, `2d`. For the `callback` of an option."""
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no span: write 90s, 30m, 8h or 2d", context, option)
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def instant(context: click.Context, option: click.Parameter, value: str | None) -> datetime | None:
    """A moment in ISO 8601; in UTC where it says no zone. For the `callback` of an option."""
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise click.BadParameter(f"{value!r} is no moment: write 2026-03-01T19:00", context, option) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=timezone.utc)


_for_option = click.option("--for", "length", callback=span, help="Duration: 90s, 30m, 8h, 2d.")
_until_option = click.option("--until", callback=instant, help="Until this moment, in ISO 8601.")


@click.command()
@click.argument("deployment")
@_for_option
@_until_option
@click.option(
    "--deadline", callback=span, help="Wait for tasks no longer than this. They go on at their sites."
)
@wait_option
@reason_option
@output_option
@pass_session
def hibernate(
    session: Session,
    deployment: str,
    length: timedelta | None,
    until: datetime | None,
    deadline: timedelta | None,
    wait: bool,
    reason: str,
) -> None:
    """Hibernate a Deployment when its tasks have ended. Its agents wait; nothing is lost."""
    ask = platform_life.Hibernate(
        until=_until(length, until),
        deadline_seconds=None if deadline is None else int(deadline.total_seconds()),
    )
    with session.platform() as client:
        begun = client.hibernate(deployment, ask, reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
    session.output.say(
        f"Deployment {begun.deployment_name!r} {'sleeps' if wait else 'is being put to sleep'}. "
        "Wake it with `tradewind deployments wake-up`."
    )


@click.command("wake-up")
@click.argument("deployment")
@_for_option
@_until_option
@wait_option
@reason_option
@output_option
@pass_session
def wake_up(
    session: Session,
    deployment: str,
    length: timedelta | None,
    until: datetime | None,
    wait: bool,
    reason: str,
) -> None:
    """Wake a Deployment up. Runs that it missed follow each Dag's catchup.

    Without --for and --until its schedules are followed from their next moment on.
    """
    with session.platform() as client:
        ask = platform_life.WakeUp(until=_until(length, until))
        begun = client.wake_up(deployment, ask, reason=reason)
        operation_commands.finish(client, begun, wait, session.output)
    session.output.say(f"Deployment {begun.deployment_name!r} {'is awake' if wait else 'is being woken up'}.")


@click.command()
@click.argument("deployment")
@click.option(
    "--schedule",
    "schedules",
    nargs=2,
    multiple=True,
    metavar="HIBERNATE WAKE",
    help="Sleep from each moment of the first cron expression, in UTC, to the next of the second. May be repeated.",
)
@click.option("--no-schedule", is_flag=True, help="Follow no schedule.")
@reason_option
@output_option
@pass_session
def hibernation(
    session: Session,
    deployment: str,
    schedules: tuple[tuple[str, str], ...],
    no_schedule: bool,
    reason: str,
) -> None:
    """Show when a Deployment sleeps, or change its schedules."""
    with session.platform() as client:
        if schedules or no_schedule:
            wanted = [
                {"hibernate_at_cron": sleep, "wake_at_cron": wake}
                for sleep, wake in schedules
                if not no_schedule
            ]
            ask = operation_commands.valid(platform_life.ChangeHibernation, schedules=wanted)
            found = client.set_hibernation(deployment, ask, reason=reason)
        else:
            found = client.hibernation(deployment)
    _show(session, found)


COMMANDS: Final = (hibernate, wake_up, hibernation)
"""Of the group `tradewind deployments`."""


def _until(length: timedelta | None, until: datetime | None) -> datetime | None:
    return until if length is None else datetime.now(timezone.utc) + length


def _show(session: Session, found: platform_life.HibernationView) -> None:
    if session.output.is_json:
        session.output.data(found)
        return
    override = ""
    if found.override_sleeps is not None:
        override = "sleeps" if found.override_sleeps else "is awake"
        override += (
            f" until {moment(found.override_until)}" if found.override_until else " until it is changed"
        )
    session.output.facts(
        [
            *(
                (f"Schedule {number}", f"sleeps at {one.hibernate_at_cron!r}, wakes at {one.wake_at_cron!r}")
                for number, one in enumerate(found.schedules, 1)
            ),
            ("Override", override),
            ("Next", f"{found.next_event} at {moment(found.next_event_at)}" if found.next_event else "none"),
        ]
    )
