"""`tradewind demo`: a plane, an agent and example Dags on this machine."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console

from tradewind.demo import perform
from tradewind.demo.show import Show
from tradewind.embedded.environments import Checkout, Environments, Released
from tradewind.errors import BadUsage, CommandError
from tradewind.output import printable

_ASK_AGAIN = 0.05  # seconds until a signal that came at a bad moment is heard


@click.command()
@click.option(
    "--once", is_flag=True, help="Exit with 0 when every run has succeeded, or with 1 when one has not."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port of the web UI; 0 takes a free one.",
)
@click.option(
    "--timeout",
    type=click.IntRange(min=10),
    default=300,
    show_default=True,
    help="Seconds that the runs may take.",
)
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
    with _directory(directory) as place, _Interrupted() as interrupted:
        try:
            stage = perform.Stage(place.resolve(), _environments(checkout, show), show, port=port)
            interrupted.kill_all = stage.kill
            with stage:
                perform.run(stage.plane, stage.agent, show, timeout=timeout)
                if not once:
                    show.say(
                        f"every request that left the agent's site is a line in {stage.agent.state_dir}/ledger"
                    )
                    password = stage.plane.passwords["admin"]
                    show.say(f"open {stage.plane.url} and sign in as admin with {password}; Ctrl-C ends it")
                    perform.watch_over(stage.plane, stage.agent)
        except KeyboardInterrupt:
            show.say("stopped; no process is left")
            if once:
                raise CommandError("the demo was interrupted before every run had ended") from None
        except perform.DemoFailed as failure:
            for name, text in failure.logs:
                click.echo(f"\n--- {name}\n{printable(text)}", err=True)
            raise CommandError(f"the demo failed: {failure}") from failure


def _environments(checkout: Path | None, show: Show) -> Environments:
    """Raises DemoFailed when they cannot be installed."""
    checkout = checkout or _own_checkout()
    try:
        with show.doing("installing what is not there yet of the three environments"):
            if checkout is not None:
                return Checkout(checkout.resolve(), say=show.say).environments()
            return Released(version("tradewind"), say=show.say).environments()
    except (OSError, RuntimeError) as problem:
        raise perform.DemoFailed(f"the environments could not be installed: {problem}") from problem


def _own_checkout() -> Path | None:
    """The checkout that this command is run from, when it is installed editable."""
    root = Path(__file__).parents[5]
    return root if (root / "packages" / "cli" / "pyproject.toml").exists() else None


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


class _Interrupted:
    """Ctrl-C, SIGTERM and SIGHUP end the demo in an orderly way, once; again means: at once.

    The second one raises nothing, because it arrives while processes are being stopped and would leave the rest of
    them behind. It kills them instead, so that the stopping comes to its end.

    While a process is being started a signal waits: Python ignores what is raised in the functions that it calls around
    a fork, and a process that was started but not noted would be left behind.
    """

    def __init__(self) -> None:
        self.kill_all: Callable[[], None] = lambda: None
        self._before: dict[signal.Signals, Any] = {}
        self._asked = False

    def __enter__(self) -> _Interrupted:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
            self._before[number] = signal.signal(number, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, _: int, frame: FrameType | None) -> None:
        if _starts_a_process(frame):
            signal.setitimer(signal.ITIMER_REAL, _ASK_AGAIN)
            return
        if self._asked:
            self.kill_all()
            return
        self._asked = True
        raise KeyboardInterrupt


def _starts_a_process(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code is subprocess.Popen.__init__.__code__:
            return True
        frame = frame.f_back
    return False
