"""Files of a bundle, named by the plane or by a parser: never one outside of the bundle's folder."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Final

LARGEST_SOURCE: Final = 1024 * 1024
"""Characters of one file's source that are sent; a longer file is cut, with a line that says so."""


def leaves(path: str) -> bool:
    """Whether a path, taken from a folder, may lead out of it."""
    return not path or Path(path).is_absolute() or ".." in Path(path).parts


def to_parse(place: Path, path: str) -> Path | None:
    """The file, relative to `place`, that is parsed for `path`: itself, or the zip archive that it is a member of.
    None when there is no such file, and for a path that leads out of `place`: parsing a file runs it."""
    inside = Path(path)
    if leaves(path):
        return None
    return next((one for one in (inside, *inside.parents) if (place / one).is_file()), None)


def read_source(place: Path, inside: str) -> str | None:
    """The text of a file of a bundle, or of a member of a zip archive in it. None when it cannot be read."""
    try:
        target = place / inside
        if target.is_file() and not zipfile.is_zipfile(target):
            text = target.read_text(errors="replace")
        else:
            archive = next(one for one in target.parents if one.is_file())
            with zipfile.ZipFile(archive) as opened:
                text = opened.read(os.path.relpath(target, archive)).decode(errors="replace")
    except (OSError, KeyError, StopIteration, zipfile.BadZipFile):
        return None
    if len(text) > LARGEST_SOURCE:
        return text[:LARGEST_SOURCE] + "\n# … cut here by Tradewind: the file is longer than may be sent\n"
    return text
