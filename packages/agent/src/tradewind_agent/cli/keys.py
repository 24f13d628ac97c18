"""The commands `tradewind-agent keys`: make the owner's key ring, show it, and rotate its keys."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tradewind_agent.errors import SettingsWrong

if TYPE_CHECKING:
    from tradewind_agent.state.key_ring import KeyRing

_FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group()
def keys() -> None:
    """Keep the key ring that seals values which the plane stores and shall not read."""


@keys.command()
@_FILE
@click.option(
    "--site", required=True, help="Name of the site, which users of the plane read in place of a value."
)
@click.option("--id", "key_id", help="Id of the key. Default: year and month.")
def new(file: Path, site: str, key_id: str | None) -> None:
    """Make FILE, a key ring with one key. Refuses an existing file."""
    from tradewind_agent.state.key_ring import KeyRing

    if file.exists():
        _fail(f"{file} is there already; `tradewind-agent keys add` gives it another key")
    _write(file, lambda: KeyRing.new(site, key_id or _this_month()))
    click.echo(
        f"made {file}; give the same file to every agent of site {site}, and keep a copy: without it no value can be read"
    )


@keys.command(name="list")
@_FILE
def list_(file: Path) -> None:
    """Show the ids of the keys of FILE, and which of them seals. Never a key."""
    ring = _read(file)
    click.echo(f"site {ring.site}")
    for key_id in ring.keys:
        click.echo(f"{key_id:<32} {'seals and opens' if key_id == ring.current else 'opens'}")


@keys.command()
@_FILE
@click.option("--id", "key_id", help="Id of the key. Default: year and month.")
def add(file: Path, key_id: str | None) -> None:
    """Add a new key to FILE that opens, and does not seal yet: the first step of a rotation."""
    ring, made = _read(file), key_id or _this_month()
    _write(file, lambda: ring.with_new(made))
    click.echo(
        f"added key {made}; give the file to every agent of the site, then let it seal: tradewind-agent keys use {file} {made}"
    )


@keys.command()
@_FILE
@click.argument("key_id")
def use(file: Path, key_id: str) -> None:
    """Let KEY_ID seal from now on: the second step, once every agent of the site has the key."""
    ring = _read(file)
    _write(file, lambda: ring.sealing_with(key_id))
    click.echo(
        f"key {key_id} seals now, and {ring.current} opens what it has sealed; give the file to every agent of the site"
    )


@keys.command()
@_FILE
@click.argument("key_id")
def remove(file: Path, key_id: str) -> None:
    """Take an older key out of FILE. What it has sealed can be opened by no agent any more."""
    ring = _read(file)
    _write(file, lambda: ring.without(key_id))
    click.echo(f"removed key {key_id}; a task that reads what it has sealed fails with the reason")


def _this_month() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m")


def _read(file: Path) -> KeyRing:
    from tradewind_agent.state import key_ring

    try:
        return key_ring.read(file)
    except SettingsWrong as wrong:
        click.echo(f"tradewind-agent: {wrong}", err=True)
        sys.exit(wrong.exit_code)


def _write(file: Path, made: Callable[[], KeyRing]) -> None:
    from tradewind_agent.state import key_ring

    try:
        ring = made()
        before = os.stat(file) if file.exists() else None
        key_ring.write(file, ring)
        if before is not None and os.geteuid() == 0:
            os.chown(file, before.st_uid, before.st_gid)
    except key_ring.RingWrong as wrong:
        _fail(str(wrong))
    except OSError as error:
        _fail(f"{file} cannot be written: {error.strerror or error}")


def _fail(why: str) -> None:
    click.echo(f"tradewind-agent: {why}", err=True)
    sys.exit(1)
