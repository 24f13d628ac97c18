"""Do tasks run as another user than the agent?"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Final

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.state import task_users
from tradewind_protocol.checks import Result, failed, ok, skipped, warning

_HOW: Final = "docs/how-to/separate-users.md"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """For each task environment: as which user its tasks run, and what they can read therefore."""
    for environment in examination.settings.task_environments:
        check = f"user:{environment.name}"
        try:
            user = task_users.user_of(environment)
        except SettingsWrong as wrong:
            yield failed(check, wrong.message, wrong.remedy)
            continue
        if user is None:
            what = "tasks run as the agent's user: they can read the agent token's file and forge outcomes in the outbox"
            if os.geteuid() == 0:
                yield warning(check, f"{what}, and they are root", f"Set run_as ({_HOW})")
            else:
                yield skipped(check, f"{what}; run_as prevents it ({_HOW})")
            continue
        for path, _ in task_users.readable_secrets(examination.settings, [user]):
            yield failed(check, f"user {user.name} can read {path}", f"chmod 400 {path}")
        if missing := task_users.missing_capabilities():
            yield warning(
                check,
                f"tasks shall run as user {user.name}, and this process lacks {', '.join(missing)}",
                "Start the agent as root, or by a unit with AmbientCapabilities; the doctor does not see those of the unit",
            )
        else:
            yield ok(check, f"tasks run as user {user.name}")
