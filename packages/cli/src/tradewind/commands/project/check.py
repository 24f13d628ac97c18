"""`tradewind project check`: parse the Dags as the site would."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from tradewind.commands.options import output_option
from tradewind.commands.project.options import progress, project_option, show_findings
from tradewind.commands.session import Session, pass_session
from tradewind.embedded.environments import locked
from tradewind.project import settings
from tradewind.project.building import Building, CheckFailed
from tradewind.project.packages import Packages


@click.command()
@project_option
@output_option
@pass_session
def check(session: Session, start: Path) -> None:
    """Parse the Dags under the site's data policy.

    In virtual environments of the site's and the plane's locks, which are made first. Exit code 1 when something is wrong.
    """
    found = settings.found(start)
    say = progress(session)
    with locked(found.kept):
        building = Building(found, None, say=say)
        interpreter = Packages(found, say=say).environment(found.site)
        report = building.report(str(interpreter))
    if session.output.is_json:
        session.output.data(asdict(report) | {"passed": report.passed})
    else:
        show_findings(report.findings)
        if report.passed:
            click.echo(f"{len(report.dags)} Dags parse: {', '.join(report.dags)} (Airflow {report.airflow})")
    if not report.passed:
        raise CheckFailed(report)
