"""The command: `tradewind-agent run`, `status`, `doctor`, `ledger`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any
from uuid import uuid4

import click

from tradewind_agent.cli.bundles import bundles
from tradewind_agent.cli.keys import keys
from tradewind_agent.cli.rules import rules
from tradewind_agent.errors import AgentError
from tradewind_agent.monitoring import status as status_file

_CONFIG = click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Settings file (TOML).",
    envvar="TRADEWIND_AGENT_CONFIG",
)
_STATE_DIR = click.option(
    "--state-dir", type=click.Path(file_okay=False, path_type=Path), help="Directory of the agent's state."
)

_SECRET_FILE = click.Path(path_type=Path, readable=False)  # root of a container may not read it yet

_MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


@click.group(name="agent")
@click.version_option(package_name="tradewind-agent", message="%(package)s %(version)s")
def main() -> None:
    """Run work for an orchestration plane, next to the data."""


@main.command()
@_CONFIG
@click.option("--plane-url", help="Address of the orchestration plane.")
@click.option("--token-file", type=_SECRET_FILE, help="File that holds the agent token.")
@click.option("--name", help="The agent's name. Default: the host name.")
@_STATE_DIR
@click.option("--components", help="Any of worker,dag_processor,triggerer. Default: all three.")
@click.option("--queues", help="Queues to serve, separated by commas. Default: default.")
@click.option("--slots", type=int, help="Number of attempts at once. Default: 20.")
@click.option("--interpreter", type=click.Path(path_type=Path), help="Python of the task environment.")
@click.option("--policy", type=click.Choice(["strict", "open"]), help="The data boundary. Default: strict.")
@click.option(
    "--grace", type=float, help="Seconds that running tasks have to end after a stop signal. Default: 600."
)
@click.option(
    "--metrics-port", type=int, help="Port of /healthz, /readyz and /metrics; 0 turns it off. Default: 39091."
)
@click.option("--log-format", type=click.Choice(["auto", "console", "json"]), help="Default: auto.")
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Default: info.")
def run(config: Path | None, **flags: Any) -> None:
    """Run the agent until SIGTERM or Ctrl-C. A second signal stops running work at once.

    The token is never a flag: use --token-file, or the variable TRADEWIND_AGENT_TOKEN. Every setting has a variable
    TRADEWIND_AGENT_… and a key in the file. A flag wins over a variable, and a variable over the file.

    Exits with 0 after a drain, 3 when the plane refuses this agent for good, 4 when another process has taken its
    identity, 78 when a setting is wrong.
    """
    # Imported here: `status` and `--help` need none of it, and the plane is dialled sooner than a shell completes.
    from tradewind_agent import agent, settings
    from tradewind_agent.doctor import environments
    from tradewind_agent.kits import kernel
    from tradewind_agent.monitoring import logs
    from tradewind_agent.state import agent_user

    kernel.keep_capabilities()
    kernel.refuse_inspection()  # before the token is read: tasks may run as the same user
    try:
        loaded = agent_user.become(settings.load(flags, config=config))
        kernel.refuse_inspection()  # another user may be inspected again
        logs.configure(format=loaded.log_format, level=loaded.log_level)
        for warning in loaded.warnings():
            click.echo(f"warning: {warning}", err=True)
        reason = asyncio.run(agent.run(loaded, examine=environments.without_bundles))
    except AgentError as error:
        click.echo(f"tradewind-agent: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"tradewind-agent: stopped ({reason})", err=True)


@main.command()
@click.option("--plane-url", help="Address of the orchestration plane.")
@click.option(
    "--token-file", type=click.Path(path_type=Path), help="File that holds a token of kind sentinel."
)
@click.option("--name", help="The sentinel's name. Default: the host name.")
@click.option("--platform", type=click.Choice(["auto", "kubernetes", "machine"]), help="Default: auto.")
@click.option("--namespace", help="Kubernetes: namespace of the agents. Default: the pod's own.")
@click.option("--units", help="Machine: patterns of systemd units, separated by commas.")
@click.option("--state-dirs", help="Machine: state directories of agents, separated by commas.")
@click.option("--policy", type=click.Choice(["strict", "open"]), help="The data boundary. Default: strict.")
@click.option(
    "--port", type=int, help="Port of /healthz, /readyz, /metrics, /status; 0: off. Default: 39092."
)
def sentinel(**flags: Any) -> None:
    """Watch agents from outside and report what is wrong to the plane, until SIGTERM or Ctrl-C.

    Every setting has a variable TRADEWIND_SENTINEL_…. Exits with 0 after a stop, 78 when a setting is wrong.
    """
    from tradewind_agent.kits import kernel
    from tradewind_agent.monitoring import logs
    from tradewind_agent.sentinel import composition
    from tradewind_agent.sentinel import settings as sentinel_settings

    kernel.refuse_inspection()
    try:
        loaded = sentinel_settings.load(flags)
        logs.configure(format=loaded.log_format, level=loaded.log_level)
        reason = asyncio.run(composition.run(loaded))
    except AgentError as error:
        click.echo(f"tradewind-agent sentinel: {error}", err=True)
        sys.exit(error.exit_code)
    click.echo(f"tradewind-agent sentinel: stopped ({reason})", err=True)


@main.command()
@_CONFIG
@_STATE_DIR
@click.option("--json", "as_json", is_flag=True, help="Print the whole document as JSON.")
def status(config: Path | None, state_dir: Path | None, as_json: bool) -> None:
    """Show the state of the agent on this machine. Exits with 0 when it is ready, 1 when not, 3 when none runs."""
    from tradewind_agent import settings

    _as_the_agent(config)
    directory = state_dir or settings.state_dir_of(config)
    found = status_file.read(directory)
    if found is None or not status_file.alive(found):
        click.echo(f"no agent runs from {directory}", err=True)
        sys.exit(3)
    click.echo(json.dumps(found, indent=1) if as_json else status_file.text(found))
    sys.exit(1 if found.get("not_ready") else 0)


@main.command()
@_CONFIG
@click.option("--plane-url", help="Address of the orchestration plane.")
@click.option("--token-file", type=_SECRET_FILE, help="File that holds the agent token.")
@click.option("--name", help="The agent's name. Default: the host name.")
@_STATE_DIR
@click.option("--components", help="Any of worker,dag_processor,triggerer. Default: all three.")
@click.option("--interpreter", type=click.Path(path_type=Path), help="Python of the task environment.")
@click.option("--policy", type=click.Choice(["strict", "open"]), help="The data boundary. Default: strict.")
@click.option("--metrics-port", type=int, help="Port of /healthz, /readyz and /metrics; 0 turns it off.")
@click.option(
    "--expect-private", is_flag=True, help="Fail unless the plane's name has private addresses only."
)
@click.option(
    "--public-resolver",
    default="",
    metavar="ADDRESS",
    help="With --expect-private: also ask this DNS server of the internet, to compare.",
)
@click.option(
    "--long",
    is_flag=False,
    flag_value=360.0,
    default=0.0,
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Also measure when a connection without traffic is dropped. Takes 360 s, or as long as given.",
)
@click.option("--connection", "connections", multiple=True, help="Read this connection as a task does.")
@click.option("--variable", "read_variables", multiple=True, help="Read this variable as a task does.")
@click.option(
    "--output",
    type=click.Choice(["text", "json", "report"]),
    default="text",
    help="Default: text. The report is for the owner of the plane: the way to it, and nothing secret.",
)
def doctor(
    config: Path | None,
    expect_private: bool,
    public_resolver: str,
    long: float,
    connections: tuple[str, ...],
    read_variables: tuple[str, ...],
    output: str,
    **flags: Any,
) -> None:
    """Check what an agent with these settings needs. Each line has verdict, evidence and remedy.

    Opens no session, so it may run beside the agent. Exits with 0 when an agent can work, also with warnings; 1 when
    a check fails that matters; 78 when the settings are wrong.
    """
    from tradewind_agent import settings
    from tradewind_agent.doctor import examination, report
    from tradewind_agent.doctor.examined import BackendReads
    from tradewind_agent.state import agent_user
    from tradewind_protocol.checks import Result, Verdict

    results: list[Result] = []

    def show(result: Result) -> None:
        results.append(result)
        if output == "text":
            click.echo(examination.line(result))

    plane_url = ""

    async def examine(loaded: settings.Settings) -> None:
        nonlocal plane_url
        plane_url = loaded.plane_url
        read = BackendReads(connections, read_variables)
        checks = examination.examine(
            loaded, expect_private=expect_private, public_resolver=public_resolver, long=long, read=read
        )
        async for result in checks:
            show(result)

    status_code = 0
    try:
        asyncio.run(examine(agent_user.become(settings.load(flags, config=config))))
    except AgentError as error:
        show(examination.unreadable(error.message, error.remedy))
        status_code = error.exit_code
    if output == "json":
        click.echo(examination.document(results))
    if output == "report":
        now = datetime.now(timezone.utc)
        click.echo(
            report.text(results, plane_url=plane_url, version=package_version("tradewind-agent"), now=now)
        )
    failed = examination.overall(results) is Verdict.FAILED
    sys.exit(status_code or (1 if failed else 0))


@main.command()
@_CONFIG
@_STATE_DIR
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="One day (UTC).")
@click.option("--since", type=click.DateTime(_MOMENTS), help="From this day or time on (UTC).")
@click.option("--until", type=click.DateTime(_MOMENTS), help="Before this day or time (UTC).")
@click.option("--attempt", default="", help="Part of the requester: a Dag, dag.task, a run, an attempt's ID.")
@click.option("--to", default="", help="Part of the address that the request went to.")
@click.option("--left/--stayed", default=None, help="Only requests that left, or only those that stayed.")
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

    _as_the_agent(config)
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


@main.command()
@_CONFIG
@_STATE_DIR
@click.option("--clean", is_flag=True, help="Remove what may be removed. Default: only show it.")
@click.option(
    "--unknown",
    is_flag=True,
    help="Also remove values and logs of Dags that the plane does not know, such as deleted ones.",
)
@click.option("--wait", type=float, default=600.0, help="Seconds to wait for the agent. Default: 600.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Default: table.")
def storage(
    config: Path | None, state_dir: Path | None, clean: bool, unknown: bool, wait: float, output: str
) -> None:
    """Show or remove XCom values, task and asset state, and logs of runs that are stored at this site.

    The agent that runs from the state directory looks, asks the plane which runs still need what is stored, and removes
    nothing else. Exits with 0; with 1 when something could not be looked at or the agent could not be asked; with 3 when no
    agent runs.
    """
    from tradewind_agent import settings
    from tradewind_agent.cli.storage_table import table
    from tradewind_agent.state import storage_requests

    _as_the_agent(config)
    directory = state_dir or settings.state_dir_of(config)
    found = status_file.read(directory)
    if found is None or not status_file.alive(found):
        click.echo(
            f"no agent runs from {directory}: start it, since only a running agent can ask the plane what is still needed",
            err=True,
        )
        sys.exit(3)
    asked = uuid4().hex
    try:
        storage_requests.request(directory, id=asked, clean=clean, unknown=unknown)
    except OSError as error:
        click.echo(
            f"the agent cannot be asked: {error.strerror or error}: {directory}. Run this as the agent's user, and see that "
            "the disk has room",
            err=True,
        )
        sys.exit(1)
    until = time.monotonic() + wait
    while (report := storage_requests.report(directory)) is None or report.get("request") != asked:
        if time.monotonic() > until:
            click.echo(f"the agent did not answer in {wait:g} s; see its log", err=True)
            sys.exit(1)
        time.sleep(0.2)
    click.echo(json.dumps(report, indent=1) if output == "json" else table(report))
    sys.exit(1 if report.get("problems") else 0)


def _as_the_agent(config: Path | None) -> None:
    """Read and write the agent's files as the user that it becomes, where root calls: `kubectl exec` and `docker exec` do."""
    from tradewind_agent import settings
    from tradewind_agent.state import agent_user

    try:
        if os.geteuid() == 0 and (user := settings.setting_of("user", config)):
            agent_user.switch(agent_user.named(user))
    except AgentError as error:
        click.echo(f"tradewind-agent: {error}", err=True)
        sys.exit(error.exit_code)


main.add_command(rules)
main.add_command(keys)
main.add_command(bundles)


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=timezone.utc)


def _counted(lines: Iterable[Any], total: Any) -> Iterator[Any]:
    for line in lines:
        total.add(line)
        yield line
