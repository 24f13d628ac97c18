"""`tradewind project init`: write a new project."""

from __future__ import annotations

import re
import sys
from importlib.metadata import version
from pathlib import Path

import click

from tradewind.errors import BadUsage
from tradewind.project import scaffold


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", help="The project's name, which images get. Default: the folder's.")
@click.option("--python", help="Minor version of Python. Default: that of this command.", metavar="3.N")
@click.option(
    "--dist",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    help="Folder that `make dist` built, where your package index has no Tradewind. Default: ./dist, when it is one.",
)
def init(folder: Path, name: str | None, python: str | None, dist: Path | None) -> None:
    """Write a new project into FOLDER, which is missing or empty."""
    if dist is not None and not scaffold.is_dist(dist):
        raise BadUsage(f"{dist} was not built by `make dist`", remedy="Run it in a checkout of Tradewind.")
    dist = dist or scaffold.beside(Path.cwd())
    name = name or re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "project"
    python = python or "{}.{}".format(*sys.version_info[:2])
    written = scaffold.write(
        folder.resolve(), name=name, python=python, version=version("tradewind"), dist=dist
    )
    click.echo(f"wrote {len(written)} files into {folder}")
    if dist is None:
        click.echo(
            "Tradewind comes from your package index. Where there is none with it: set dist in tradewind.toml."
        )
    click.echo(f"\n  cd {folder}\n  tradewind project dev\n")
