"""What `demo` and `project dev` share: options of a plane and an agent on this machine, and how a failure is told."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import click

from tradewind.errors import BadUsage, CommandError
from tradewind.output import printable
from tradewind.stage.show import Show
from tradewind.stage.stage import StageFailed

Function = TypeVar("Function", bound=Callable[..., Any])

port_option: Final = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port of the web UI; 0 takes a free one.",
)


def timeout_option(runs: str) -> Callable[[Function], Function]:
    """`runs` says which runs it bounds."""
    return click.option(
        "--timeout",
        type=click.IntRange(min=10),
        default=300,
        show_default=True,
        help=f"Seconds that {runs} may take.",
    )


def check_port(port: int) -> None:
    """Raises BadUsage when something listens there. Airflow would say so a minute later, in a log."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as problem:
            raise BadUsage(
                f"port {port} cannot be used: {problem.strerror}",
                remedy="Name another with --port; 0 takes a free one.",
            ) from problem


@contextmanager
def failures_told(show: Show, *, once: bool, what: str, remedy: str = "") -> Iterator[None]:
    """Turn the end of a stage by Ctrl-C or by a fault into what a command says, a fault with the logs of its processes.

    Ctrl-C is an ordinary end, but for a command that was to return with the runs' result (`once`).
    """
    try:
        yield
    except KeyboardInterrupt:
        show.say("stopped; no process is left")
        if once:
            raise CommandError(f"{what} was interrupted before every run had ended") from None
    except StageFailed as failure:
        for name, text in failure.logs:
            click.echo(f"\n--- {name}\n{printable(text)}", err=True)
        raise CommandError(f"{what} failed: {failure}", remedy=remedy) from failure
