"""The options that say how many requests the platform answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from tradewind_platform.commands.option_groups import option_group
from tradewind_platform.domain.request_rates import RequestRates

_USUAL = RequestRates()


def _rate(option: str, name: str, usual: float, methods: str) -> Callable[[Any], Any]:
    return click.option(
        option,
        name,
        type=click.IntRange(0),
        default=int(usual),
        show_default=True,
        help=f"{methods} requests of one API token that are answered; a session has four times as many. 0: all.",
    )


request_rate_options = option_group(
    "request_rates",
    RequestRates,
    _rate("--reads-per-second", "reads", _USUAL.reads, "GET"),
    _rate("--changes-per-second", "changes", _USUAL.changes, "POST, PUT and PATCH"),
    _rate("--deletions-per-second", "deletions", _USUAL.deletions, "DELETE"),
)
"""As one argument `request_rates`."""
