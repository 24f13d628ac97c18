"""From the line of a RunAttempt to Airflow's supervisor, and to the task's process that it asks for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, NoReturn
from uuid import UUID

import msgspec

from tradewind_protocol import hostnames
from tradewind_protocol.attempts import CanaryHop, CanaryMarks, WorkKind
from tradewind_protocol.hosts import Configure, RunAttempt
from tradewind_runtime import kernel
from tradewind_runtime.accelerators.libraries import import_notes
from tradewind_runtime.accelerators.table import OfWorker
from tradewind_runtime.airflow import canary, execution_client, owner_rules, task_fork, termination, traces
from tradewind_runtime.airflow import workloads as airflow_worker
from tradewind_runtime.control import wipe
from tradewind_runtime.worker.supervisor import ProcessManager, WorkResult


class _TaskSetup(msgspec.Struct):
    """What a task's process is told by its supervisor."""

    hostname: str
    note_at: str = ""
    secret: str = ""  # for its traces
    rules: tuple[owner_rules.TaskRule, ...] = ()  # of the site's owner
    refusal_at: str = ""  # where it leaves which of them refused it
    canary: bool = False  # it is no task's, and ends at once


FORKED_WITHIN: Final = 3.0
"""Seconds that a canary's process of a task has to begin and end."""

_READ_SETUP = msgspec.json.Decoder(_TaskSetup)  # which looks at all of the class, once, before any fork


class Supervision:
    """What every attempt's supervisor and task do (`supervisor.Work`). The task's process of noted work leaves its note at
    `note_at` of the attempt's id.

    The client of the gateway is made once and inherited, which costs an attempt nothing: it has not connected yet, and after
    an attempt it has no connection and no secret left, and nothing of its answers."""

    def __init__(
        self,
        configure: Configure,
        accelerators: OfWorker,
        *,
        fork: task_fork.TaskFork,
        note_at: Callable[[UUID], Path],
    ) -> None:
        self._gateway, self._agent_name = configure.gateway, configure.agent_name
        self._traced = bool(configure.options.get("traces"))
        self._accelerators, self._task_fork, self._note_at = accelerators, fork, note_at
        self._client = execution_client.of_gateway(configure.gateway, "", connections=1)
        self._ready = False  # a process that inherits this has not been made ready

    def supervise(self, line: bytearray, manager: ProcessManager, *, noted: bool) -> WorkResult:
        run = RunAttempt.model_validate_json(bytes(line))
        wipe(line)
        kernel.title(f"tradewind attempt {airflow_worker.label(run.kind, run.workload)}")
        hostname = hostnames.of_attempt(self._agent_name, run.attempt_id, run.epoch)
        airflow_worker.set_hostname(hostname)
        if not self._ready:
            self._accelerators.child_exit_notification.listen(manager)
            self._task_fork.use(manager)
            self._ready = True
        note_at = str(self._note_at(run.attempt_id)) if noted else ""
        refusal_at = Path(f"{self._note_at(run.attempt_id)}.refused")
        setup = _TaskSetup(
            hostname,
            note_at=note_at,
            secret=run.secret if self._traced else "",
            rules=tuple(owner_rules.TaskRule(one.rule, one.about, one.patterns) for one in run.rules),
            refusal_at=str(refusal_at) if run.kind is WorkKind.TASK else "",
        )
        manager.telling = msgspec.json.encode(setup)
        unwanted = termination.RefusedHeartbeat()
        with (
            execution_client.speaking_as(self._client, run.secret),
            unwanted.listening(self._client),
            ExitStack() as stack,
        ):
            # What this process forks itself: all work but tasks.
            stack.callback(kernel.after_fork_of_mine(partial(self._begin, setup)))
            if run.kind is WorkKind.CANARY:
                manager.telling = msgspec.json.encode(_TaskSetup(hostname, canary=True))
                return self._canary(run, manager)
            exit_code = airflow_worker.run(run.kind, run.workload, self._client)
            kernel.title("tradewind supervisor without work")
            refused = owner_rules.found_at(refusal_at) if setup.refusal_at else None
            if refused is None:
                return WorkResult(exit_code, unwanted.reason)
            return WorkResult(exit_code, unwanted.reason, rule=refused.rule, refused=refused.reason)

    def _canary(self, run: RunAttempt, manager: ProcessManager) -> WorkResult:
        """Have a process of a task forked, which ends at once, and write a line where tasks write theirs. Nothing of a site's
        authors is imported or run."""
        if problem := _not_forked(manager):
            marks = CanaryMarks(failed=CanaryHop.START)
            return WorkResult(1, refused=problem, canary=marks.model_dump(mode="json"))
        began = time.monotonic()
        problem = canary.write_line(str(run.workload.get("queue", "")), str(run.attempt_id), self._client)
        marks = CanaryMarks(failed=CanaryHop.LOG if problem else None, log=time.monotonic() - began)
        said = marks.model_dump(mode="json")
        return WorkResult(1 if problem else 0, refused=problem, canary=said)

    def run_task(self, content: bytes, ends: Sequence[int]) -> NoReturn:
        setup = _READ_SETUP.decode(content)
        if setup.canary:
            os._exit(0)
        self._begin(setup)
        task_fork.run_task(ends)

    def _begin(self, setup: _TaskSetup) -> None:
        airflow_worker.set_hostname(setup.hostname)
        if setup.note_at:
            import_notes.leave_note(Path(setup.note_at))
        if setup.refusal_at:
            owner_rules.impose(setup.rules, leave=owner_rules.leave_at(Path(setup.refusal_at)))
        if setup.secret:  # here, in the work's own process, Airflow and the task make their spans
            traces.start(self._gateway, setup.secret, agent=self._agent_name)


def _not_forked(manager: ProcessManager) -> str:
    """Why no process of a task can be had; empty when one was, which has ended."""
    try:
        manager.fork([])
    except OSError as problem:
        return f"no process of a task can be forked: {problem.strerror}"
    code = manager.exit_code(FORKED_WITHIN)
    if code is None:
        return f"a process of a task was forked and did not begin within {FORKED_WITHIN:.0f} s"
    return f"a process of a task was forked and ended with {code}" if code else ""
