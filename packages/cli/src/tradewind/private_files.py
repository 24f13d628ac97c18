"""Files that hold secrets."""

from __future__ import annotations

import os
from pathlib import Path

from tradewind.errors import BadUsage


def write_private(path: Path, text: str) -> None:
    """Write a new file only its owner can read. Raises BadUsage when it exists or cannot be written."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as problem:
        raise BadUsage(f"{path} cannot be written: {problem.strerror}") from problem
    with os.fdopen(handle, "w") as file:
        file.write(text)
