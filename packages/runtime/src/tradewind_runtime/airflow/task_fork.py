"""A task's process is forked by its attempt process manager, and not by Airflow's supervisor, which watches it.

So the task inherits nothing of the supervisor's memory, which holds the attempt's secret. It saves memory as well: a fork has
both sides copy each page that they write to from then on, and Airflow's supervisor writes to some ten megabytes for each task.
"""

from __future__ import annotations

import enum
import inspect
import os
import signal
import socket
import time
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

import psutil  # type: ignore[import-untyped]

Negsignal = enum.IntEnum("Negsignal", {each.name: -each.value for each in signal.Signals})  # type: ignore[misc]
"""An exit code by a signal, as psutil tells it: Airflow names the signal in the task's log by it."""


class ProcessManager(Protocol):
    """What forks, as the supervisor sees it. Readable (`fileno`) when there is news of the process it has forked."""

    def fileno(self) -> int: ...

    def fork(self, ends: Sequence[socket.socket]) -> int:
        """The pid of a process of the task, which has those ends of its pairs. Raises OSError when there is none."""

    def exit_code(self, timeout: float | None) -> int | None:
        """Of that process, negative for a signal; None while it lives. No other process has its pid until the attempt ends."""


class TaskProcess:
    """A process that is the process manager's child, not ours: what Airflow's supervisor asks of one (its `ProcessTracker`)."""

    ProcessNotFound = ProcessLookupError
    TimeoutExpired = TimeoutError

    def __init__(self, manager: ProcessManager, pid: int) -> None:
        self._manager, self._pid = manager, pid

    @property
    def pid(self) -> int:
        return self._pid

    def send_signal(self, s: signal.Signals) -> None:
        os.kill(self._pid, s)

    def wait(self, timeout: float | None) -> int:
        if (code := self._manager.exit_code(timeout)) is None:
            raise TimeoutError
        return Negsignal(code) if code in Negsignal._value2member_map_ else code


class TaskProcessForOlder(TaskProcess):
    """The same for Airflow 3.2, whose supervisor expects a process of psutil's."""

    def send_signal(self, s: signal.Signals) -> None:
        try:
            super().send_signal(s)
        except ProcessLookupError as problem:
            raise psutil.NoSuchProcess(self.pid) from problem

    def wait(self, timeout: float | None) -> int:
        try:
            return super().wait(timeout)
        except TimeoutError as problem:
            raise psutil.TimeoutExpired(timeout or 0, self.pid) from problem


_OPTIONS = (
    (),  # 3.2.0, 3.2.1
    ("use_exec",),  # 3.2.2, 3.3.0
    ("use_exec", "new_process_group"),  # since 3.3.1
)
"""What the supervisor's `start` may be told besides the target and the logger, by release."""


class UnknownSupervisor(RuntimeError):
    """This Airflow's supervisor starts processes in a way that this release does not know."""


class TaskFork:
    """Supervisors ask a process manager for the processes of their tasks. What else they fork, they fork themselves."""

    def __init__(self) -> None:
        self._manager: ProcessManager | None = None

    def use(self, manager: ProcessManager) -> None:
        """Have `manager` fork the processes of this process's tasks from now on. Call it in a supervisor's process."""
        self._manager = manager

    def install(self) -> None:
        """Call it once, before supervisors are forked: it inspects Airflow's classes, which costs memory. Raises
        UnknownSupervisor."""
        from airflow.sdk.execution_time import supervisor

        if not is_known(supervisor):
            raise UnknownSupervisor(
                "this Airflow's supervisor starts the processes of tasks in another way than this tradewind-runtime knows; "
                "install the release of tradewind-runtime that is made for it"
            )
        older = is_older(supervisor)
        base = supervisor.WatchedSubprocess
        forking_itself = base.start.__func__

        def start(
            cls: Any,
            /,
            *,
            target: Any = supervisor._subprocess_main,
            logger: Any = None,
            **options: Any,
        ) -> Any:
            is_a_task = cls is supervisor.ActivitySubprocess and target is supervisor._subprocess_main
            if self._manager is None or not is_a_task or options.get("use_exec"):
                return forking_itself(cls, target=target, logger=logger, **options)
            return _started(
                self._manager,
                cls,
                older,
                process_log=logger or supervisor.structlog.get_logger(logger_name="task").bind(),
                **{name: value for name, value in options.items() if name != "use_exec"},
            )

        base.start = classmethod(start)


def _started(manager: ProcessManager, cls: Any, older: bool, **attributes: Any) -> Any:
    """Airflow's object for a process that `manager` forks. Each has a process group of its own (`run_task`), which
    Airflow asks for by an attribute since 3.3.1 and did not know before."""
    pairs = [socket.socketpair() for _ in range(4)]
    try:
        pid = manager.fork([theirs for theirs, _ in pairs])
    except BaseException:
        for _, ours in pairs:
            ours.close()
        raise
    finally:
        for theirs, _ in pairs:
            theirs.close()
    requests, stdout, stderr, logs = (ours for _, ours in pairs)
    process = TaskProcessForOlder(manager, pid) if older else TaskProcess(manager, pid)
    started = cls(pid=pid, stdin=requests, process=process, start_time=time.monotonic(), **attributes)
    started._register_pipe_readers(stdout, stderr, requests, logs, **({} if older else {"data": {}}))
    return started


def run_task(ends: Sequence[int]) -> NoReturn:
    """Be the process of a task, just forked, whose ends of its pairs are these: never returns. Does first what a
    supervisor does before it forks, and what is inherited."""
    from airflow.sdk._shared.secrets_masker import reset_secrets_masker
    from airflow.sdk.execution_time import supervisor

    supervisor._make_process_nondumpable()
    reset_secrets_masker()
    os.setpgid(0, 0)  # the supervisor signals the whole group
    requests, stdout, stderr = (socket.socket(fileno=fd) for fd in ends[:3])
    supervisor._fork_main(requests, stdout, stderr, ends[3], supervisor._subprocess_main)
    os._exit(124)  # it does not come back


def is_known(supervisor: Any) -> bool:
    """Whether a module of Airflow's supervisor is put together as `TaskFork` expects it: as that of any release of 3.2 or 3.3."""
    try:
        start = list(inspect.signature(supervisor.WatchedSubprocess.start).parameters)
        main = inspect.signature(supervisor._fork_main)
        tracker = supervisor.psutil.Process if is_older(supervisor) else supervisor.ProcessTracker
    except AttributeError:
        return False
    *named, rest = start
    return (
        (*named[:2], rest) == ("target", "logger", "constructor_kwargs")
        and tuple(named[2:]) in _OPTIONS
        and list(main.parameters) == ["requests", "child_stdout", "child_stderr", "log_fd", "target"]
        and all(hasattr(tracker, name) for name in ("pid", "send_signal", "wait"))
    )


def is_older(supervisor: Any) -> bool:
    """Whether that is Airflow 3.2's supervisor, which does not track processes by a class of its own."""
    return not hasattr(supervisor, "ProcessTracker")
