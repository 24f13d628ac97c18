"""Which storage a site's values are in: its address, and for a folder the mark that tells it from any other folder."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tradewind_protocol.storage import MARK, MARK_FILE

_LOCAL: Final = frozenset({"file", "local"})


def as_url(path: str) -> str:
    """A configured path as a URL without a trailing slash: a plain path is a folder of this machine."""
    if not path:
        return ""
    return (path if "://" in path else f"file://{Path(path).absolute()}").rstrip("/")


@cache
def folder_of(base: str) -> Path | None:
    """The folder a URL names, or None when it is not one of this machine."""
    url = urlsplit(base)
    return Path(base.partition("://")[2]) if url.scheme in _LOCAL else None


def mark_of(base: str) -> str:
    """The mark of a storage on this machine's disks, made with its folder when it has none yet; empty for an object
    store, whose address says which it is, and for a folder that cannot be written: writing a value will say why."""
    folder = folder_of(base) if base else None
    if folder is None:
        return ""
    file = folder / MARK_FILE
    with suppress(OSError):  # see above
        return _read(file) or _make(folder, file)
    return ""


def _read(file: Path) -> str:
    try:
        found = file.read_text(encoding="ascii", errors="replace").strip()
    except FileNotFoundError:
        return ""
    return found if MARK.fullmatch(found) else ""


def _make(folder: Path, file: Path) -> str:
    """Several processes may do this at once, on several machines: the first one's mark is the mark."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{MARK_FILE}.{secrets.token_hex(8)}"
    draft.write_text(secrets.token_hex(8) + "\n", encoding="ascii")
    try:
        os.link(draft, file)
    except FileExistsError:
        if not _read(file):  # damaged: what was written under the old mark is lost with it
            os.replace(draft, file)
            return _read(file)
    finally:
        draft.unlink(missing_ok=True)
    return _read(file)
