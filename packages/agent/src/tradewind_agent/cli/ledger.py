"""The command `tradewind-agent ledger`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

import click

from tradewind_agent.cli import exits
from tradewind_agent.cli.options import config_option, state_dir_option

_MOMENTS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


@click.command()
@config_option
@state_dir_option
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="One day (UTC).")
@click.option("--since", type=click.DateTime(_MOMENTS), help="From this day or time on (UTC).")
@click.option("--until", type=click.DateTime(_MOMENTS), help="Before this day or time (UTC).")
@click.option("--attempt", default="", help="Part of the requester: a Dag, dag.task, a run, an attempt's ID.")
@click.option("--to", default="", help="Part of the address that the request went to.")
@click.option(
    "--left/--stayed",
    default=None,
    help="Only requests that left the site, or only those that were kept from leaving.",
)
@click.option("--decision", default="", help="Only passed, changed, answered, kept or refused requests.")
@click.option("--summary", is_flag=True, help="Show sums by requester, request and address.")
@click.option("--output", type=click.Choice(["table", "json"]), default="table", help="Default: table.")
def ledger(
    config: Path | None,
    state_dir: Path | None,
    day: datetime | None,
    since: datetime | None,
    until: datetime | None,
    attempt: str,
    to: str,
    left: bool | None,
    decision: str,
    summary: bool,
    output: str,
) -> None:
    """Show each request that left this site or stayed here, without its content.

    Reads the agent's files, so it may run beside the agent and after it. JSON is one object a line, as in the files. Exits
    with 0; with 3 when there is no ledger.
    """
    from tradewind_agent import settings
    from tradewind_agent.gateway import ledger as ledgers
    from tradewind_agent.gateway import ledger_lines

    exits.as_the_agent(config)
    directory = (state_dir or settings.state_dir_of(config)) / "ledger"
    if not directory.is_dir():
        click.echo(f"there is no ledger in {directory}", err=True)
        sys.exit(3)
    if day is not None:
        since, until = day, day + timedelta(days=1)
    kept = ledgers.Ledger(directory, now=time.time).read(_utc(since), _utc(until))
    lines = ledger_lines.LineFilter(who=attempt, to=to, left=left, decision=decision).of(kept)
    if output == "json":
        for line in lines:
            click.echo(json.dumps(line, ensure_ascii=False))
        return
    total = ledger_lines.Total()
    counted = _counted(lines, total)
    if summary:
        for row in ledger_lines.summary(counted):
            click.echo(row)
    else:
        click.echo(ledger_lines.head())
        for line in counted:
            click.echo(ledger_lines.row(line))
    click.echo(total.text(), err=True)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=timezone.utc)


def _counted(lines: Iterable[Any], total: Any) -> Iterator[Any]:
    for line in lines:
        total.add(line)
        yield line
