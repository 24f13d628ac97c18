"""`tradewind demo`: a plane, an agent and example Dags on this machine."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import click
from rich.console import Console

from tradewind.commands.stages import check_port, failures_told, port_option, timeout_option
from tradewind.demo import site
from tradewind.embedded.agent import AgentSettings
from tradewind.embedded.environments import Checkout, Environments, Released
from tradewind.embedded.plane import PlaneSettings
from tradewind.errors import BadUsage
from tradewind.stage import stage as stages
from tradewind.stage.interruption import Interrupted
from tradewind.stage.show import Show


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
    """A plane, an agent and example Dags on this machine.

    Installs three environments first, as their owners would: for the plane, the agent and the tasks. They are kept for
    the next time. Stays up until Ctrl-C, and leaves no process behind.
    """
    console = Console(highlight=False, emoji=False)
    show = Show(console, started=time.monotonic())
    check_port(port)
    telling = failures_told(show, once=once, what="the demo")
    with new_directory(directory) as place, Interrupted() as interrupted, telling:
        stage = _stage(place.resolve(), environments_for_a_demo(checkout, show), show, port)
        interrupted.kill_all = stage.kill
        with stage:
            stages.run(stage, show, timeout=timeout, triggered=site.TRIGGERED, by_asset=site.BY_ASSET)
            if not once:
                show.say(
                    f"every request that left the agent's site is a line in {stage.agent.state_dir}/ledger"
                )
                password = stage.plane.passwords["admin"]
                show.say(f"open {stage.plane.url} and sign in as admin with {password}; Ctrl-C ends it")
                stages.watch_over(stage)


def _stage(place: Path, environments: Environments, show: Show, port: int) -> stages.Stage:
    dags = place / "site" / "dags"
    written = site.write_dags(dags)

    def agent(url: str, token: str) -> AgentSettings:
        return AgentSettings(
            home=place / "site",
            plane_url=url,
            token=token,
            name="demo-agent",
            dags=dags,
            interpreter=environments.agent,
            tasks=environments.tasks,
        )

    return stages.Stage(
        PlaneSettings(home=place / "plane", port=port, interpreter=environments.plane),
        agent,
        show,
        token="demo",
        only_at_the_site=", ".join(path.name for path in written),
    )


def environments_for_a_demo(checkout: Path | None, show: Show) -> Environments:
    """The three, of a checkout or of the released version. Raises StageFailed when they cannot be installed."""
    checkout = checkout or _own_checkout()
    try:
        with show.doing("installing what is not there yet of the three environments"):
            if checkout is not None:
                return Checkout(checkout.resolve(), say=show.say).environments()
            return Released(version("tradewind"), say=show.say).environments()
    except (OSError, RuntimeError) as problem:
        raise stages.StageFailed(f"the environments could not be installed: {problem}") from problem


def _own_checkout() -> Path | None:
    """The checkout that this command is run from, when it is installed editable."""
    root = Path(__file__).parents[5]
    return root if (root / "packages" / "cli" / "pyproject.toml").exists() else None


@contextmanager
def new_directory(chosen: Path | None) -> Iterator[Path]:
    """An empty directory: the chosen one, which stays, or a temporary one. Raises BadUsage when it has something in it."""
    if chosen is not None:
        if chosen.exists() and any(chosen.iterdir()):
            raise BadUsage(f"{chosen} is not empty", remedy="Name a directory that does not exist yet.")
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen
        return
    # a short path: the agent's unix sockets live in it, and their paths may have a hundred characters
    place = Path(tempfile.mkdtemp(prefix="tradewind-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
