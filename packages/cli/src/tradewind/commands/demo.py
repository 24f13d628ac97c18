"""`tradewind demo`: see it work, on this machine, with nothing to set up."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from tradewind.demo import perform
from tradewind.demo.show import Show
from tradewind.errors import BadUsage, CommandError
from tradewind.output import printable

_NEEDED = {
    "airflow": "apache-airflow-core",
    "tradewind_provider": "tradewind-provider",
    "tradewind_runtime": "tradewind-runtime",
    "tradewind_agent": "tradewind-agent",
}


@click.command()
@click.option("--once", is_flag=True, help="End when every run has succeeded (0) or one has not (1).")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any free one."
)
@click.option(
    "--timeout", type=click.IntRange(min=10), default=300, show_default=True, help="Seconds for the runs."
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything in this new directory. Left out: a temporary one, removed at the end.",
)
def demo(once: bool, port: int, timeout: int, directory: Path | None) -> None:
    """A plane, an agent and example Dags on this machine.

    Stays up until Ctrl-C, and leaves no process behind. Needs the other distributions of Tradewind beside it.
    """
    _check_installed()
    console = Console(highlight=False, emoji=False)
    show = Show(console, started=time.monotonic())
    with _directory(directory) as place, _terminated_like_interrupted():
        try:
            with perform.stage(place.resolve(), show, port=port) as (plane, agent):
                perform.run(plane, agent, show, timeout=timeout)
                if once:
                    return
                show.say(
                    f"open {plane.url} and sign in as admin with {plane.passwords['admin']}; Ctrl-C ends it"
                )
                perform.watch_over(plane, agent)
        except KeyboardInterrupt:
            show.say("stopped; no process is left")
        except perform.DemoFailed as failure:
            for name, text in failure.logs:
                click.echo(f"\n--- {name}\n{printable(text)}", err=True)
            raise CommandError(f"the demo failed: {failure}") from failure


def _check_installed() -> None:
    missing = [name for module, name in _NEEDED.items() if find_spec(module) is None]
    if missing:
        raise BadUsage(
            f"the demo needs {', '.join(missing)} in this environment",
            remedy=f"pip install {' '.join(missing)}",
        )


@contextmanager
def _directory(chosen: Path | None) -> Iterator[Path]:
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


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP end the demo as Ctrl-C does, so that what it started is stopped then, too."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
