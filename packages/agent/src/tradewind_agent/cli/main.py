"""The command `tradewind-agent`: a module for each of its verbs, which imports what it needs when it is called."""

from __future__ import annotations

import click

from tradewind_agent.cli.bundles import bundles
from tradewind_agent.cli.doctor import doctor
from tradewind_agent.cli.keys import keys
from tradewind_agent.cli.ledger import ledger
from tradewind_agent.cli.rules import rules
from tradewind_agent.cli.run import run, sentinel
from tradewind_agent.cli.status import status
from tradewind_agent.cli.storage import storage


@click.group(name="agent")
@click.version_option(package_name="tradewind-agent", message="%(package)s %(version)s")
def main() -> None:
    """Run work for an orchestration plane, next to the data."""


for command in (run, sentinel, status, doctor, ledger, storage, rules, keys, bundles):
    main.add_command(command)
