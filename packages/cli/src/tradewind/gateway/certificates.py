"""Which certificate files the gateway has read: Caddy reads them again only when it is told to."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from tradewind.gateway.settings import GatewaySettings

Marks: TypeAlias = list[list[str | int]]
"""Of each file: its name, when it was written, its number and its size. A file that is replaced or written again has others."""


def files(settings: GatewaySettings) -> list[Path]:
    """Certificates and their keys."""
    own = settings.people.tls if settings.people is not None else None
    return [file for one in (settings.tls, own) if one is not None for file in (one.certificate, one.key)]


def marks(files: Iterable[Path]) -> Marks | None:
    """Of the files as they are now. None while one of them is not there, as in the middle of a renewal."""
    try:
        return [_mark(file) for file in files]
    except OSError:
        return None


def _mark(file: Path) -> list[str | int]:
    found = file.stat()
    return [str(file), found.st_mtime_ns, found.st_ino, found.st_size]
