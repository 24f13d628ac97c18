"""What an import does beside defining names. Some of it reaches only the process that imported: a task that finds the module
imported already would lack it. Some reaches every task, also those that never import the module."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog


class State(NamedTuple):
    """What is compared. Each field is named by what a difference is called."""

    threads: int
    sockets: frozenset[str]
    printed: int
    logged: int
    at_exit: int
    environment: dict[str, str]
    directory: str
    signal_handlers: tuple[Any, ...]
    hooks: tuple[Any, ...]
    root_logger: tuple[Any, ...]


_REASONS = {
    "sockets": "its import leaves a socket open, which all attempts would share",
    "logged": "its import logs or warns, which belongs into each task's log",
    "printed": "its import prints something, which belongs into each task's log",
    "at_exit": "its import leaves something to do at the end of the process, which a forked process would not do",
    "environment": "its import changes environment variables",
    "directory": "its import changes the working directory",
    "signal_handlers": "its import handles signals",
    "hooks": "its import replaces a hook of the interpreter",
    "root_logger": "its import sets up the root logger",
}


class Watch:
    """Takes states of this process, which is to be used for nothing else: its output goes nowhere from here on."""

    def __init__(self) -> None:
        self._logged = 0
        self._output = tempfile.TemporaryFile()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        for fd in (1, 2):
            os.dup2(self._output.fileno(), fd)
        self._count_what_is_logged()

    def state(self) -> State:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return State(
            threads=thread_count(),
            sockets=frozenset(open_sockets()),
            printed=os.fstat(self._output.fileno()).st_size,
            logged=self._logged,
            at_exit=atexit._ncallbacks(),
            environment=dict(os.environ),
            directory=os.getcwd(),
            signal_handlers=tuple(
                signal.getsignal(number)
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGALRM, signal.SIGSEGV)
            ),
            hooks=(sys.excepthook, sys.unraisablehook, threading.excepthook, warnings.showwarning),
            root_logger=(logging.root.level, *map(id, logging.root.handlers)),
        )

    def _count_what_is_logged(self) -> None:
        make_record = logging.getLogRecordFactory()

        def record(*args: Any, **kwargs: Any) -> logging.LogRecord:
            self._logged += 1
            return make_record(*args, **kwargs)

        logging.setLogRecordFactory(record)
        # A logger of structlog's that is used asks for what it writes to, and keeps it: this process's output.
        make_logger = structlog.get_config()["logger_factory"]

        def logger(*args: Any) -> Any:
            self._logged += 1
            return make_logger(*args)

        structlog.configure(logger_factory=logger)
        show = warnings.showwarning

        def showwarning(*args: Any, **kwargs: Any) -> None:
            self._logged += 1
            show(*args, **kwargs)

        warnings.showwarning = showwarning


def reason_not_to_share(action: Callable[[], str | None]) -> str | None:
    """Why what `action` makes must not be inherited by tasks; None when it may. Tried in a forked process: its own answer,
    else what it does beside its work."""
    answer_end, answer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(answer_end)
            watch = Watch()
            before = watch.state()
            reason = action() or why_not_shared(before, watch.state())
            os.write(answer, f"+{reason}".encode()[:4000])
        except Exception as problem:
            os.write(answer, f"+it fails: {type(problem).__name__}: {problem}".encode()[:4000])
        finally:
            os._exit(0)
    os.close(answer)
    with os.fdopen(answer_end, "rb") as source:
        said = source.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return said[1:] or None if said else "it ends the process"


def why_not_shared(before: State, after: State) -> str:
    """Why what was imported between the two must not be inherited by tasks; empty when it may."""
    if after.threads > before.threads and _threads_after_a_fork() > before.threads:
        return "its import leaves a thread running, which a forked process would not have"
    if after.sockets - before.sockets:
        return _REASONS["sockets"]
    for name, reason in _REASONS.items():
        if name != "sockets" and getattr(before, name) != getattr(after, name):
            return reason
    return ""


def _threads_after_a_fork() -> int:
    """Threads that are left when this process has forked: some libraries (OpenBLAS) end theirs for a fork and start
    them again when they are needed, on both sides."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return thread_count()


def thread_count() -> int:
    """Threads of this process, those of native code included."""
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def open_sockets() -> set[str]:
    """The sockets this process has open, by inode."""
    found = set()
    try:
        descriptors = os.listdir("/proc/self/fd")
    except OSError:
        return set()
    for descriptor in descriptors:
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except OSError:
            continue
        if target.startswith("socket:"):
            found.add(target)
    return found
