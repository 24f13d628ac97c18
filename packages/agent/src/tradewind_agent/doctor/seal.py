"""The owner's key ring: that it can be read, by this agent alone, and which key seals."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator
from typing import Final

from tradewind_agent.doctor.results import Examination, Result, failed, ok, skipped, warning
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.state import key_ring, task_users

CHECK: Final = "key ring"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """The key ring can be read, no task that runs as another user can read it, and it opens what it seals."""
    settings = examination.settings
    file = settings.seal.keys_file
    if file is None:
        yield skipped(
            CHECK, "there is none: values that may not leave are refused (docs/how-to/keep-a-key.md)"
        )
        return
    try:
        ring = key_ring.read(file)
    except SettingsWrong as wrong:
        yield failed(CHECK, wrong.message, wrong.remedy)
        return
    text = "a text"
    if ring.open(ring.seal(text)) != text:  # a library that is broken, before a task finds out
        yield failed(CHECK, f"the keys of {file} do not open what they seal", "Reinstall `cryptography`")
        return
    found = file.stat()
    for environment in settings.task_environments:
        user = task_users.user_of(environment)
        if user is not None and found.st_mode & stat.S_IRGRP and found.st_gid in user.groups:
            yield warning(
                CHECK,
                f"tasks of environment {environment.name} can read {file} by its group",
                f"chmod 600 {file}",
            )
            return
    others = [key_id for key_id in ring.keys if key_id != ring.current]
    also = f"; {', '.join(others)} open as well" if others else ""
    mode = stat.S_IMODE(os.stat(file).st_mode)
    clear = "refused" if settings.seal.required else "taken as they are"
    yield ok(
        CHECK,
        f"{file} (mode {mode:04o}): values are sealed by {ring.by} for {settings.sealed_for}{also}; "
        f"values of the plane without a seal are {clear}",
    )
