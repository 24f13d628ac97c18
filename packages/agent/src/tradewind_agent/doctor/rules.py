"""What the site's own rules let the plane have run, and whether a task can change them."""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.errors import SettingsWrong
from tradewind_agent.rules import OwnerRules, Work, refusal
from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_agent.state import owner_rules, task_users
from tradewind_protocol.checks import Result, failed, ok, skipped, warning

CHECK: Final = "rules"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """The rules can be read, their file is out of reach of tasks, and each queue and bundle of this agent may have work."""
    settings = examination.settings
    try:
        rules = owner_rules.read(settings.rules_file) if settings.rules_file is not None else settings.rules
    except SettingsWrong as wrong:
        yield failed(CHECK, wrong.message, wrong.remedy)
        return
    if rules == OwnerRules():
        yield skipped(
            CHECK, "there are none: the plane may have run what it can ask for (docs/how-to/rules.md)"
        )
        return
    if settings.rules_file is not None:
        for environment in settings.task_environments:
            if why := _writable(settings.rules_file, environment):
                yield warning(
                    CHECK, why, f"chown root {settings.rules_file} && chmod 644 {settings.rules_file}"
                )
                break
    bites = list(_bites(rules, settings))
    if bites:
        yield warning(CHECK, "; ".join(bites), "Change the rule, or do not serve what it refuses")
    else:
        yield ok(CHECK, f"{_names(rules)}; none refuses a queue or a bundle of this agent as such")


def _bites(rules: OwnerRules, settings: Settings) -> Iterator[str]:
    """Work that this agent offers to run and a rule refuses whatever its Dag is."""
    now = datetime.now(timezone.utc)
    queues = {queue for each in settings.task_environments for queue in each.queues}
    works = [
        *(Work(queue=queue) for queue in sorted(queues)),
        *(Work(bundle=str(each["name"])) for each in settings.bundles),
    ]
    seen = set()
    for work in works:
        if (found := refusal(rules, work, now)) is not None and str(found) not in seen:
            seen.add(str(found))
            yield str(found)


def _names(rules: OwnerRules) -> str:
    named = sorted(rules.model_fields_set - {"rule", "timezone"}) + [one.name for one in rules.rule]
    return f"{len(named)} rules: {', '.join(named)}"


def _writable(file: Path, environment: EnvironmentSettings) -> str:
    """Why a task of the environment can change the rules; empty when it cannot."""
    user = task_users.user_of(environment)
    uid, groups = (user.uid, user.groups) if user is not None else (os.geteuid(), tuple(os.getgroups()))
    for path in (file, file.parent):
        found = path.stat()
        writable = (
            uid == 0
            or (uid == found.st_uid)
            or (found.st_gid in groups and found.st_mode & stat.S_IWGRP)
            or found.st_mode & stat.S_IWOTH
        )
        if writable:
            return f"tasks of environment {environment.name} run as a user that can change {path}"
    return ""
