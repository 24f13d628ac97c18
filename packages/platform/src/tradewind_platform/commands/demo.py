"""`tradewind platform demo`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from tradewind.commands.demo import environments_for_a_demo, new_directory
from tradewind.commands.stages import check_port, failures_told, port_option, timeout_option
from tradewind.stage.interruption import Interrupted
from tradewind.stage.show import Show
from tradewind_platform.demo.stage import PlatformStage

NAMES: Final = ("sales", "research")


@click.command()
@click.option(
    "--once", is_flag=True, help="Exit with 0 when every run has succeeded, or with 1 when one has not."
)
@port_option
@timeout_option("the runs")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep all files in this new directory. Default: a temporary one, removed at the end.",
)
@click.option(
    "--checkout",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Run the sources of this checkout. Default: the checkout of this command, or its released version.",
)
def demo(once: bool, port: int, timeout: int, directory: Path | None, checkout: Path | None) -> None:
    """A platform with two Deployments, an agent each, and one sign-in for all, on this machine.

    Stays up until Ctrl-C, and leaves no process behind.
    """
    show = Show(Console(highlight=False, emoji=False), started=time.monotonic())
    check_port(port)
    telling = failures_told(show, once=once, what="the demo")
    with new_directory(directory) as place, Interrupted() as interrupted, telling:
        environments = environments_for_a_demo(checkout, show)
        stage = PlatformStage(place.resolve(), environments, show, port=port, names=NAMES)
        interrupted.kill_all = stage.kill
        with stage:
            stage.run(timeout=timeout)
            if not once:
                for name, made in stage.made.items():
                    show.say(f"the Airflow of {name}: {made.view.people_url}")
                show.say(f"sign in once, for both: {stage.sign_in_link()}")
                show.say("Ctrl-C ends it")
                stage.watch_over()
