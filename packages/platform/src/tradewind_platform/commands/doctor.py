"""`tradewind platform doctor`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import click

from tradewind.errors import BadUsage
from tradewind.output import Column, Output
from tradewind_platform.clock import utc_now
from tradewind_platform.commands.home import FILE, home_options, url_in
from tradewind_platform.doctor.examination import Examination
from tradewind_platform.home import PlatformSettings
from tradewind_protocol.checks import Verdict

_COLUMNS: Final = (
    Column("CHECK", lambda one: one.check),
    Column("VERDICT", lambda one: one.verdict.value),
    Column("EVIDENCE", lambda one: one.evidence, wide=True),
    Column("REMEDY", lambda one: one.remedy, wide=True),
)


@click.command()
@home_options
@click.option("--url", default="http://127.0.0.1:8700", show_default=True, help="Where the platform listens.")
@click.option(
    "--ca-file", type=FILE, help="PEM file of the authority of the certificates. Default: the system's."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(home: Path, database_url_file: Path | None, url: str, ca_file: Path | None, as_json: bool) -> None:
    """Examine the platform of this machine, its clusters and its Deployments. Changes nothing.

    Exit code 1 when a check failed, 0 otherwise.
    """
    if not home.is_dir():
        raise BadUsage(f"there is no platform in {home}", remedy="Name its directory with --home.")
    settings = PlatformSettings(home.resolve(), database_url=url_in(database_url_file))
    found = list(Examination(settings, utc_now(), url.rstrip("/"), ca_file).results())
    if as_json:
        click.echo(json.dumps({"results": [one.document() for one in found]}, indent=1))
    else:
        Output("table").rows(found, _COLUMNS, none="")
    if any(one.verdict is Verdict.FAILED for one in found):
        raise SystemExit(1)
