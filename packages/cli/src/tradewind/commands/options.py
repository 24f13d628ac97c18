"""Options that several commands take, and options that a command takes as one value."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from tradewind.commands.session import Session
from tradewind.output import Output

Function = TypeVar("Function", bound=Callable[..., Any])


def gathered(kind: type[Any], name: str) -> Callable[[Function], Callable[..., Any]]:
    """Give a command the options that are fields of the dataclass `kind` as one argument `name`. Stands right above
    `pass_session`."""
    fields = [each.name for each in dataclasses.fields(kind)]

    def decorate(function: Function) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            value = kind(**{field: options.pop(field) for field in fields})
            return function(*arguments, **options, **{name: value})

        return call

    return decorate


def output_option(function: Function) -> Function:
    """`--output table|json`, accepted after the verb too, where people write it."""

    def choose(context: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.ensure_object(Session).output = Output(value)

    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json"]),
        expose_value=False,
        callback=choose,
        help="A table to read, or JSON for programs.",
    )(function)


def reason_option(function: Function) -> Function:
    """`--reason`, for every verb that changes something."""
    return click.option("--reason", default="", help="The reason, stored in the audit trail.")(function)


def page_options(function: Function) -> Function:
    """`--limit` and `--offset`."""
    function = click.option("--offset", type=click.IntRange(min=0), default=0, help="Skip this many.")(
        function
    )
    return click.option(
        "--limit",
        type=click.IntRange(1, 1000),
        default=100,
        show_default=True,
        help="Show at most this many.",
    )(function)


def wait_option(function: Function) -> Function:
    """`--wait`, for every verb that begins an operation."""
    return click.option(
        "--wait", is_flag=True, help="Return when the operation has ended; exit 1 if it failed."
    )(function)
