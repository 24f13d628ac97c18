"""Rules of the site's owner about a task that its own process judges. A version of its bundle is judged before the Dag file is read;
by then the class and the pool of the task are what they are."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from tradewind_protocol.patterns import fits
from tradewind_runtime.airflow.callables import IN_DAG_FILE


class TaskRule(msgspec.Struct):
    """One rule, as `tradewind_protocol.hosts.TaskRule`."""

    rule: str
    about: str
    patterns: tuple[str, ...]


class Refusal(msgspec.Struct):
    """Which rule refused the task, and why."""

    rule: str
    reason: str


VERSIONS: Final = "versions"
"""How the rule is named that a bundle which verifies its versions is."""


class VersionRefused(Exception):
    """The site's owner does not let this version of a bundle run. `why` is in words of ours; `more` may be another program's."""

    def __init__(self, why: str, more: str = "") -> None:
        super().__init__(f"{why} ({more})" if more else why)
        self.why = why


def impose(rules: Sequence[TaskRule], *, leave: Callable[[Refusal], None]) -> None:
    """Have this process, which is a task's, fail before anything of the task is rendered or run when a rule refuses it. Such a task is
    not retried. `leave` hands the refusal to the supervisor, also that of a bundle which does not run the version of the task."""
    from airflow.sdk.exceptions import AirflowFailException
    from airflow.sdk.execution_time import task_runner

    parse, prepare = task_runner.parse, task_runner._prepare

    def parsed(what: Any, log: Any) -> Any:
        try:
            return parse(what, log)
        except VersionRefused as refused:
            leave(Refusal(VERSIONS, f"the site's rule {VERSIONS!r} refuses it: {refused.why}"))
            raise

    def prepared(ti: Any, log: Any, context: Any) -> Any:
        if (refusal := judge(ti.task, rules)) is not None:
            leave(refusal)
            raise AirflowFailException(refusal.reason)
        return prepare(ti, log, context)

    task_runner.parse = parsed
    if rules:
        task_runner._prepare = prepared


def judge(task: Any, rules: Sequence[TaskRule]) -> Refusal | None:
    """The first rule that refuses a task; None when it may run."""
    found = {"operators": class_of(task), "pools": str(task.pool)}
    for one in rules:
        name = found[one.about]
        if not fits(name, one.patterns):
            noun = one.about.rstrip("s")
            return Refusal(
                one.rule,
                f"the site's rule {one.rule!r} refuses it: {noun} {name!r} is not among those it allows",
            )
    return None


def class_of(task: Any) -> str:
    """The dotted name of a task's class; without module for one that a Dag file defines."""
    operator = getattr(task, "operator_class", None) or type(task)
    module = str(operator.__module__)
    name = str(operator.__qualname__)
    return name if module.startswith(IN_DAG_FILE) else f"{module}.{name}"


def leave_at(path: Path) -> Callable[[Refusal], None]:
    """What writes a refusal to a file for `found_at`."""

    def leave(refusal: Refusal) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(refusal))

    return leave


def found_at(path: Path) -> Refusal | None:
    """A refusal that was left there, which is removed; None when none was."""
    try:
        read = json.loads(path.read_bytes())
        path.unlink()
        return Refusal(str(read["rule"])[:200], str(read["reason"])[:4000])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
