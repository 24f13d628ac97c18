"""The home that a command works on, and its database and keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from tradewind.errors import BadUsage, CommandError
from tradewind_platform.home import PlatformSettings, opened
from tradewind_platform.security.key_ring import KeyProblem, KeyRing
from tradewind_platform.store.sessions import Store

Function = TypeVar("Function", bound=Callable[..., Any])
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)


def home_options(function: Function) -> Function:
    """The options `--home` and `--database-url-file`."""
    function = click.option(
        "--database-url-file",
        type=FILE,
        help="A file with the SQLAlchemy URL of the platform's own database. Default: SQLite in the home.",
    )(function)
    return click.option(
        "--home",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path("tradewind-platform"),
        show_default=True,
        help="Directory of the platform: its database, its keys, its Deployments.",
    )(function)


@contextmanager
def opened_home(home: Path, database_url_file: Path | None) -> Iterator[tuple[Store, KeyRing]]:
    """The platform's database and keys, for a command on its machine. Raises BadUsage without a platform there, CommandError when a key
    is missing or wrong."""
    if not home.is_dir():
        raise BadUsage(
            f"there is no platform in {home}",
            remedy="Start it first: `tradewind platform run`, or name --home.",
        )
    settings = PlatformSettings(home.resolve(), database_url=url_in(database_url_file))
    with ExitStack() as stack:
        try:
            parts = stack.enter_context(opened(settings))
        except KeyProblem as error:
            raise CommandError(str(error)) from None
        yield parts


def url_in(file: Path | None) -> str | None:
    """The URL that a file has."""
    return None if file is None else file.read_text(encoding="utf-8").strip()


def local_home(home: Path) -> Path:
    """The directory of the cluster that is this machine."""
    return home / "local"
