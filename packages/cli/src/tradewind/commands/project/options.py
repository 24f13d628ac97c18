"""What several project commands take, and how they tell what they do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from tradewind.commands.session import Session
from tradewind.output import printable
from tradewind.project import builders, checks

Function = TypeVar("Function", bound=Callable[..., Any])


def project_option(function: Function) -> Function:
    return click.option(
        "--project",
        "start",
        type=click.Path(file_okay=False, exists=True, path_type=Path),
        default=".",
        help="The project's folder. Default: the one this command is run in, or below.",
    )(function)


def builder_options(function: Function) -> Function:
    function = click.option(
        "--builder-option",
        "options",
        multiple=True,
        help="An option of a build for the builder, such as --network=host. May be repeated.",
    )(function)
    function = click.option("--platform", default="", help="Build for this platform, such as linux/arm64.")(
        function
    )
    return click.option(
        "--builder",
        type=click.Choice(["auto", *builders.NAMES, "venv"]),
        default="auto",
        show_default=True,
        help="What builds. auto: the first of them that works here, else virtual environments.",
    )(function)


def progress(session: Session) -> Callable[[str], None]:
    """Progress goes to standard error, so that what a program reads is on standard output alone."""
    return lambda sentence: click.echo(f"{sentence}…", err=True)


def show_findings(findings: Sequence[checks.Finding]) -> None:
    for one in findings:
        click.echo(f"{one.where}: {one.level}: {printable(one.cause)}")
        if one.remedy:
            remedy = printable(one.remedy).rstrip(".")
            click.echo(f"    {remedy[0].upper()}{remedy[1:]}{'' if remedy.endswith('?') else '.'}")
