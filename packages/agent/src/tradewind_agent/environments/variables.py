"""The environment variables of a process: chosen, never simply inherited."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from tradewind_agent.settings import EnvironmentSettings, Settings
from tradewind_agent.settings.passed_variables import is_planes_secret
from tradewind_agent.state.task_users import TaskUser


def for_process(
    inherited: Mapping[str, str],
    *,
    passed: Sequence[str],
    own: Mapping[str, str],
    defaults: Mapping[str, str],
    interpreter: Path,
) -> dict[str, str]:
    """What the environment of a process is made of: `defaults`, under the chosen part of `inherited`, under the
    environment's `own`. `interpreter` finds its own programs before all others, as in an activated virtualenv.

    Nothing named TRADEWIND_… comes through, whatever the patterns say, and none of the plane's secrets: a machine on
    which Airflow also runs does not give its database to tasks. Nor does the virtualenv of the agent itself.
    """
    chosen = {
        name: value
        for name, value in inherited.items()
        if any(fnmatchcase(name, pattern) for pattern in passed)
        and not _is_ours(name)
        and name not in _OF_AN_ACTIVATED
    }
    made = {
        name: value
        for name, value in {**defaults, **chosen, **_activated(interpreter), **own}.items()
        if not is_planes_secret(name) and not _is_ours(name)
    }
    return {**made, "PATH": _search_path(interpreter, made.get("PATH", os.defpath), chosen="PATH" in own)}


def of_environment(
    settings: Settings,
    environment: EnvironmentSettings,
    inherited: Mapping[str, str],
    user: TaskUser | None,
) -> dict[str, str]:
    """The variables of every process of a task environment, which runs as `user`; None: as the agent does."""
    return for_process(
        inherited,
        passed=settings.pass_environment,
        own={
            **for_bundles(settings.bundles),
            **(user.variables if user is not None else {}),
            **environment.env,
        },
        defaults=defaults(settings.state_dir),
        interpreter=environment.interpreter,
    )


_OF_AN_ACTIVATED: Final = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME")


def _activated(interpreter: Path) -> dict[str, str]:
    """What the activation of the interpreter's environment sets, beside the search path."""
    prefix = _programs(interpreter).parent
    if (prefix / "pyvenv.cfg").is_file():
        return {"VIRTUAL_ENV": str(prefix)}
    return {"CONDA_PREFIX": str(prefix)} if (prefix / "conda-meta").is_dir() else {}


def _search_path(interpreter: Path, path: str, *, chosen: bool) -> str:
    """`path` with the interpreter's programs first. An order that the owner has chosen, and that has them, stays."""
    programs = str(_programs(interpreter))
    places = path.split(os.pathsep)
    if chosen and programs in places:
        return path
    return os.pathsep.join([programs, *(place for place in places if place != programs)])


def _programs(interpreter: Path) -> Path:
    """The folder of its programs. Links are not followed: a virtualenv's interpreter is one."""
    if interpreter.parent == Path() and (found := shutil.which(str(interpreter))):
        return Path(found).parent
    return Path(os.path.abspath(interpreter)).parent


def defaults(state_dir: Path) -> dict[str, str]:
    """What a process gets unless the settings say otherwise.

    AIRFLOW_HOME is the agent's own: on a machine that also runs a plane, ~/airflow holds that plane's settings.
    """
    return {"AIRFLOW_HOME": str(state_dir / "airflow"), "PYTHONUNBUFFERED": "1"}


def for_bundles(bundles: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The agent's `bundles` as every process reads them; nothing when the setting is left out."""
    if not bundles:
        return {}
    return {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps([dict(each) for each in bundles])}


def _is_ours(name: str) -> bool:
    return name.upper().startswith("TRADEWIND_")
