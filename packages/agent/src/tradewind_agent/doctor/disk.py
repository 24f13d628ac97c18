"""Is there a state directory the agent can write, with room in it?"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.kits import files
from tradewind_protocol.checks import Result, failed, ok, warning

CHECK = "disk"
_LEAST = 200 * 1024 * 1024
_LITTLE = 2 * 1024 * 1024 * 1024


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Makes the directory when it is not there, writes a file and removes it."""
    directory = examination.settings.state_dir
    there = _nearest(directory)
    try:
        if os.access(there, os.W_OK):
            files.make_private(directory)
            there = directory
        with tempfile.NamedTemporaryFile(dir=there) as file:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(there).free
    except OSError as error:
        yield failed(
            CHECK,
            f"{there} cannot be written: {error.strerror or error}",
            "Set state_dir to a directory the agent's user can write, or free space",
        )
        return
    shown = f"{directory}: {free / 2**30:.1f} GiB free"
    if free < _LEAST:
        yield failed(CHECK, shown, "Free space: outcomes, logs and XCom values are written there")
    elif free < _LITTLE:
        yield warning(CHECK, shown, "Free space, or move state_dir: task logs grow")
    elif directory.stat().st_mode & (0o077 if directory.stat().st_uid == os.geteuid() else 0o007):
        # of another owner's directory (a volume of Kubernetes, root's with a group) the group's rights are the agent's
        yield warning(CHECK, f"{shown}; others of this machine can enter it", f"chmod go= {directory}")
    else:
        yield ok(CHECK, shown)


def _nearest(directory: Path) -> Path:
    """The directory, or the nearest one above it that is there: the agent makes the rest."""
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return directory
