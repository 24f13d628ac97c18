"""`tradewind project dev`: run a project on this machine."""

from __future__ import annotations

import fcntl
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from tradewind.commands.project.options import project_option, show_findings
from tradewind.commands.stages import check_port, failures_told, port_option, timeout_option
from tradewind.embedded.environments import locked
from tradewind.errors import BadUsage
from tradewind.project import development, settings
from tradewind.project.building import Building, CheckFailed
from tradewind.project.packages import Packages
from tradewind.project.settings import Project
from tradewind.stage import stage as stages
from tradewind.stage.interruption import Interrupted
from tradewind.stage.show import Show


@click.command()
@click.option(
    "--once", is_flag=True, help="Check the Dags, run each once, then exit: 0 when all succeeded, else 1."
)
@click.option("--dag", "dags", multiple=True, help="With --once: run only this Dag. May be repeated.")
@click.option("--fresh", is_flag=True, help="Forget runs, variables and connections of earlier starts.")
@port_option
@timeout_option("the runs of --once")
@project_option
def dev(once: bool, dags: Sequence[str], fresh: bool, port: int, timeout: int, start: Path) -> None:
    """Run the project on this machine.

    A plane has the project's plugins, an agent its Dags, settings and packages. A Dag that changes is read again within seconds. Runs are kept for the next start. Ctrl-C ends every process.
    """
    found = settings.found(start)
    if dags and not once:
        raise BadUsage("--dag is for --once")
    show = Show(Console(highlight=False, emoji=False), started=time.monotonic())
    place = found.kept / "dev"
    telling = failures_told(
        show, once=once, what="the project's environment on this machine", remedy=f"The logs are in {place}."
    )
    with _only_one(found.kept / "dev.lock"), Interrupted() as interrupted:
        check_port(port)
        if fresh:
            shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True, exist_ok=True)
        with telling:
            with locked(found.kept), show.doing("installing what is not there yet of the three environments"):
                stage = development.stage(found, place, show, port=port)
                dags = dags or (_every_dag(found, show) if once else ())
            interrupted.kill_all = stage.kill
            with stage:
                if once:
                    stages.run(stage, show, timeout=timeout, triggered=dags)
                else:
                    _stay_up(found, stage, show)


def _every_dag(found: Project, show: Show) -> Sequence[str]:
    """The Dags of the project. Raises CheckFailed, after its findings were shown, when a file is wrong."""
    interpreter = Packages(found, say=show.say).environment(found.site)
    report = Building(found, None, say=show.say).report(str(interpreter))
    show_findings(report.findings)
    if not report.passed:
        raise CheckFailed(report)
    return report.dags


def _stay_up(found: Project, stage: stages.Stage, show: Show) -> None:
    with stage.plane.client() as http:
        changes = development.Changes(found, http, show.say)
        show.say(f"open {stage.plane.url} and sign in as admin with {stage.plane.passwords['admin']}")
        show.say("change files in site/dags and see them arrive; Ctrl-C ends it")
        stages.watch_over(stage, changes.look)


@contextmanager
def _only_one(file: Path) -> Iterator[None]:
    """Raises BadUsage when another process is inside."""
    file.parent.mkdir(exist_ok=True)
    with file.open("w") as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadUsage("`tradewind project dev` runs in this project already") from None
        yield
