"""Files that hold secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tradewind.errors import BadUsage


@contextmanager
def new_private_file(path: Path) -> Iterator[TextIO]:
    """A new file only its owner can read, made before the body runs and removed when the body raises.

    So a secret that is shown once is not asked for before there is a place to keep it. Raises BadUsage when the file
    exists or cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as problem:
        raise BadUsage(f"{path} cannot be made: {problem.strerror}") from problem
    try:
        with os.fdopen(handle, "w") as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise
