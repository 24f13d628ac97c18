"""What /proc shows of processes that may end at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ENDED: Final = (FileNotFoundError, ProcessLookupError)
"""The errors for a process that has ended: the first before its file is opened, the second (ESRCH) while it is read."""


def is_alive(pid: int) -> bool:
    """True while a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except ENDED:
        return False
