"""The commands `tradewind-agent rules check` and `rules try`: which rule would refuse what."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click

from tradewind_agent.errors import SettingsWrong
from tradewind_agent.rules import (
    BY_TASK,
    OwnerRules,
    RuleRefusal,
    Work,
    read_verdicts,
    refusal,
    request_verdicts,
    verdicts,
)
from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.boundary import OwnRun, Read, ReadKind, StartedBy
from tradewind_protocol.polling import Verb

_COMMANDS = [one.value for one in Verb if one is not Verb.STREAM_LOG]

_CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file (TOML) of the agent.",
    envvar="TRADEWIND_AGENT_CONFIG",
)
_FILE = click.option(
    "--rules-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with rules, before the agent gets it. Default: the rules of the settings.",
)


@click.group()
def rules() -> None:
    """Show what the site's own rules let the plane have run here."""


@rules.command()
@_CONFIG
@_FILE
@click.option("--dag", help="Dag that is to run.")
@click.option("--task", help="Its task.")
@click.option("--queue", help="Queue that it comes from.")
@click.option("--bundle", help="Bundle of the Dag.")
@click.option(
    "--operator", help="Class of the task, such as airflow.providers.standard.operators.bash.BashOperator."
)
@click.option("--pool", help="Pool of the task.")
@click.option("--trigger", help="Class of a trigger.")
@click.option("--callback", help="Function or notifier that a deadline calls.")
@click.option("--user", help="User who starts the run by hand.")
@click.option("--conf", help="Parameters of the run, as JSON.")
@click.option("--started-by", help="Dag whose task starts the run, with parameters that the key ring seals.")
@click.option("--connection-test", is_flag=True, help="A connection test instead of a task.")
@click.option(
    "--reads",
    metavar="KIND:NAME",
    multiple=True,
    help="What the task reads of the plane: connections:NAME, variables:NAME, xcoms:DAG or states:DAG.",
)
@click.option("--command", type=click.Choice(_COMMANDS), help="A command of the plane.")
@click.option("--log", is_flag=True, help="A log that a user of the plane opens.")
@click.option("--at", type=click.DateTime(["%Y-%m-%dT%H:%M"]), help="Time (UTC). Default: now.")
def check(
    config: Path | None,
    rules_file: Path | None,
    conf: str | None,
    started_by: str | None,
    connection_test: bool,
    reads: tuple[str, ...],
    command: str | None,
    log: bool,
    at: datetime | None,
    **names: Any,
) -> None:
    """Say of each rule that applies whether it lets this work run. What is not given is not judged.

    Without any work, says whether the rules can be read. Exits with 0 when the work may run, 1 when a rule refuses it, 78 when
    the rules cannot be read.
    """
    found = _load(config, rules_file)
    moment = at.replace(tzinfo=timezone.utc) if at is not None else _now()
    work = Work(
        kind=WorkKind.CONNECTION_TEST if connection_test else WorkKind.TASK,
        run_type=BY_TASK if started_by else "manual" if names.get("user") else None,
        conf=_parameters(conf),
        started=StartedBy(started_by, int(moment.timestamp())) if started_by else None,
        **names,
    )
    asked = bool(reads or command or log)
    if not work.facts().keys() - {"kind"} and not connection_test and not asked:
        click.echo("the rules can be read")
        return
    own = OwnRun(work.dag, "the run itself") if work.dag is not None else None
    judged = [
        *verdicts(found, work, moment),
        *(one for read in map(_read, reads) for one in read_verdicts(found, read, own)),
        *request_verdicts(found, command=Verb(command) if command else None, log=log),
    ]
    refused = False
    for one in judged:
        refused = refused or one.refusal is not None
        click.echo(
            f"{'refuses' if one.refusal else 'allows':<8} {one.rule:<24} {one.refusal.why if one.refusal else ''}".rstrip()
        )
    click.echo("it is refused" if refused else "it may run")
    sys.exit(1 if refused else 0)


@rules.command(name="try")
@_CONFIG
@_FILE
@click.option(
    "--state-dir", type=click.Path(file_okay=False, path_type=Path), help="Directory of the agent's state."
)
@click.option(
    "--days", type=click.IntRange(1, 36500), default=7, help="How many days of the ledger. Default: 7."
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Default: table.")
def try_(
    config: Path | None, rules_file: Path | None, state_dir: Path | None, days: int, output: str
) -> None:
    """Show what of the last days' work the rules would have refused, from the ledger.

    The ledger has no parameters of runs, no classes and no pools of tasks: rules about them are not tried. Exits with 0 when all
    of it may run, 1 when some may not, 3 when there is no ledger, 78 when the rules cannot be read.
    """
    from tradewind_agent import settings
    from tradewind_agent.gateway import ledger as ledgers

    found = _load(config, rules_file)
    directory = (state_dir or settings.state_dir_of(config)) / "ledger"
    if not directory.is_dir():
        click.echo(f"there is no ledger in {directory}", err=True)
        sys.exit(3)
    since = _now() - timedelta(days=days)
    lines = ledgers.Ledger(directory, now=time.time).read(since)
    seen, refused = tried(found, lines)
    if output == "json":
        refusals = [
            {"rule": rule, "why": why, "work": work, "count": count}
            for (rule, why, work), count in refused.most_common()
        ]
        click.echo(json.dumps({"work": seen, "refused": refused.total(), "refusals": refusals}, indent=1))
    else:
        for (rule, why, work), count in refused.most_common():
            click.echo(f"{count:>6}  {rule:<24} {work:<40} {why}")
        click.echo(f"{refused.total()} of {seen} would have been refused", err=True)
    sys.exit(1 if refused else 0)


def tried(found: OwnerRules, lines: Iterable[Mapping[str, Any]]) -> tuple[int, Counter[tuple[str, str, str]]]:
    """How much work the lines tell of, and how often each rule refuses what: rule, reason, work."""
    seen = 0
    refused: Counter[tuple[str, str, str]] = Counter()
    for line in lines:
        facts = line.get("work")
        # what a rule of today refuses may be let in by the one that is tried; a trigger's line tells of no other work
        if not isinstance(facts, dict) or "kind" not in facts:
            continue
        seen += 1
        why = _refusal(found, facts, datetime.fromisoformat(str(line["at"])))
        if why is not None:
            refused[why.rule, why.why, str(line.get("principal", "")).partition(" [")[0]] += 1
    return seen, refused


def _refusal(found: OwnerRules, facts: Mapping[str, Any], at: datetime) -> RuleRefusal | None:
    try:
        return refusal(found, Work.of_facts(facts), at)
    except ValueError:  # a kind of work that a newer agent wrote down
        return None


def _load(config: Path | None, rules_file: Path | None) -> OwnerRules:
    from tradewind_agent.state import owner_rules

    try:
        return owner_rules.read(rules_file) if rules_file is not None else owner_rules.of_config(config)
    except SettingsWrong as wrong:
        click.echo(f"tradewind-agent: {wrong}", err=True)
        sys.exit(wrong.exit_code)


def _read(text: str) -> Read:
    kind, colon, name = text.partition(":")
    if not colon or not name or kind not in {one.value for one in ReadKind}:
        raise click.BadParameter(
            f"--reads {text!r} is not of the form connections:NAME, variables:NAME, xcoms:DAG or states:DAG"
        )
    return Read(ReadKind(kind), name, f"{kind} {name!r}")


def _parameters(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        read = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"--conf is no JSON: {error}") from None
    if not isinstance(read, dict):
        raise click.BadParameter("--conf is no JSON object")
    return read


def _now() -> datetime:
    return datetime.now(timezone.utc)
