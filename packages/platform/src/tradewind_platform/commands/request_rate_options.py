"""The options that say how many requests the platform answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from tradewind_platform.domain.request_rates import RequestRates

Function = TypeVar("Function", bound=Callable[..., Any])

_USUAL = RequestRates()


def request_rate_options(function: Function) -> Function:
    """The options `--reads-per-second`, `--changes-per-second` and `--deletions-per-second`, as one argument `request_rates`."""

    @wraps(function)
    def with_rates(
        *arguments: Any,
        reads_per_second: int,
        changes_per_second: int,
        deletions_per_second: int,
        **more: Any,
    ) -> Any:
        rates = RequestRates(reads_per_second, changes_per_second, deletions_per_second)
        return function(*arguments, request_rates=rates, **more)

    decorated: Any = with_rates
    for option, usual, methods in (
        ("--deletions-per-second", _USUAL.deletions, "DELETE"),
        ("--changes-per-second", _USUAL.changes, "POST, PUT and PATCH"),
        ("--reads-per-second", _USUAL.reads, "GET"),
    ):
        decorated = click.option(
            option,
            type=click.IntRange(0),
            default=int(usual),
            show_default=True,
            help=f"{methods} requests of one API token that are answered; a session has four times as many. 0: all.",
        )(decorated)
    found: Function = decorated
    return found
