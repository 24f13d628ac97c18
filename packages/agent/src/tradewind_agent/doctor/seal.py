"""The owner's key ring: that it can be read, by this agent alone, and which key seals."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.environments import key_rings
from tradewind_agent.errors import AgentError
from tradewind_agent.settings import Settings
from tradewind_agent.state import key_ring, task_users
from tradewind_protocol.checks import Result, failed, ok, skipped, warning

CHECK: Final = "key ring"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """The key ring can be read, no task that runs as another user can read its file, and it opens what it seals."""
    settings = examination.settings
    if not settings.seal.has_ring:
        yield skipped(
            CHECK, "there is none: values that may not leave are refused (docs/how-to/keep-a-key.md)"
        )
        return
    file, where = settings.seal.keys_file, key_rings.described(settings)
    fetch = key_rings.fetching(settings, errors=None)  # a command says to the person who asks why it fails
    try:
        ring = await fetch() if fetch is not None else key_ring.read(Path(where))
    except AgentError as wrong:
        yield failed(CHECK, wrong.message, wrong.remedy)
        return
    text = "a text"
    if ring.open(ring.seal(text)) != text:  # a library that is broken, before a task finds out
        yield failed(CHECK, f"the keys of {where} do not open what they seal", "Reinstall `cryptography`")
        return
    if file is not None and (reader := _reader(settings, file)):
        yield warning(
            CHECK, f"tasks of environment {reader} can read {file} by its group", f"chmod 600 {file}"
        )
        return
    others = [key_id for key_id in ring.keys if key_id != ring.current]
    also = f"; {', '.join(others)} open as well" if others else ""
    mode = f" (mode {stat.S_IMODE(file.stat().st_mode):04o})" if file is not None else ""
    clear = "refused" if settings.seal.required else "taken as they are"
    yield ok(
        CHECK,
        f"{where}{mode}: values are sealed by {ring.by} for {settings.sealed_for}{also}; "
        f"values of the plane without a seal are {clear}",
    )


def _reader(settings: Settings, file: Path) -> str:
    """The environment whose tasks run as another user that can read the file."""
    found = file.stat()
    for environment in settings.task_environments:
        user = task_users.user_of(environment)
        if user is not None and found.st_mode & stat.S_IRGRP and found.st_gid in user.groups:
            return environment.name
    return ""
