"""The supervisor's process: forked by a process manager, it serves attempts one after the other, and never forks a task itself."""

from __future__ import annotations

import gc
import json
import os
import select
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple, NoReturn, Protocol

from tradewind_runtime import kernel

WORK, NOTED_WORK = b"work", b"noted work"
"""Said by the prefork process, and passed on by the process manager, with the pipe an attempt's line comes out of. The task's process of noted
work leaves a note of what its Dag file imports."""

_FORK = b"fork"


class WorkResult(NamedTuple):
    """How work ended, as its supervisor saw it."""

    exit_code: int  # of the work's own process, negative for a signal
    unwanted: str | None = None  # why, when the plane said meanwhile that it must not run any more
    rule: str = ""  # of the site's owner, that refused the task in its own process
    refused: str = ""  # why it did; of a canary, why it failed
    canary: dict[str, Any] | None = None  # of a canary: `attempts.CanaryMarks`


class Work(Protocol):
    """What is done in the processes of an attempt."""

    def supervise(self, line: bytearray, manager: ProcessManager, *, noted: bool) -> WorkResult:
        """Run the work described by one RunAttempt line to its end. Called in the supervisor's process."""

    def run_task(self, content: bytes, ends: Sequence[int]) -> NoReturn:
        """Be the task, with the content of `ProcessManager.telling`. Called in the process of a task."""


class ProcessManager:
    """The supervisor's end of its process manager (`airflow.task_fork.ProcessManager`)."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._exit_code: int | None = None
        self.telling = b""
        """What the next process of a task is told, past the process manager: it may be secret. At most what a pipe holds, 64 KB."""

    def fileno(self) -> int:
        return self._link.fileno()

    def next(self) -> tuple[int, bool] | None:
        """The pipe with the next attempt's line, and whether it is noted work. None when no more will come."""
        while True:
            said, descriptors, _, _ = socket.recv_fds(self._link, 64, 1)
            if descriptors:
                self._exit_code = None
                return descriptors[0], said == NOTED_WORK
            if not said:
                return None
            # the end of a task that was given up

    def fork(self, ends: Sequence[socket.socket]) -> int:
        beginning, write_end = os.pipe()
        try:
            os.write(write_end, self.telling)
            os.close(write_end)
            socket.send_fds(self._link, [_FORK], [*(each.fileno() for each in ends), beginning])
        finally:
            os.close(beginning)
        pid = int(self._link.recv(64) or b"0")
        if pid <= 0:
            raise OSError(-pid, os.strerror(-pid))
        return pid

    def exit_code(self, timeout: float | None) -> int | None:
        if self._exit_code is None:
            poller = select.poll()
            poller.register(self._link, select.POLLIN)
            if poller.poll(None if timeout is None else timeout * 1000):
                self._exit_code = int(self._link.recv(64) or b"1")
        return self._exit_code

    def say(self, word: dict[str, Any]) -> None:
        self._link.send(json.dumps(word).encode())


def serve(link: socket.socket, work: Work) -> NoReturn:
    """Be a supervisor's process; never returns. `link` is a packet socket to the process manager, which has this process killed
    when it ends itself."""
    try:
        kernel.default_signals()
        kernel.close_descriptors({link.fileno()})
        me = os.getpid()

        def in_what_this_forks() -> None:
            kernel.die_with_parent(me)
            kernel.default_signals()
            link.close()

        kernel.after_fork_of_mine(in_what_this_forks)
        gc.enable()
        manager = ProcessManager(link)
        while (next_one := manager.next()) is not None:
            payload, noted = next_one
            manager.say(_one(payload, work, manager, noted=noted))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _one(payload: int, work: Work, manager: ProcessManager, *, noted: bool) -> dict[str, Any]:
    """Read the work, do it, say how it went. Everything the attempt needs to keep secret lives from here down."""
    said: dict[str, Any]
    try:
        with os.fdopen(payload, "rb") as source:
            line = bytearray(source.read())
        said = work.supervise(line, manager, noted=noted)._asdict()
    except Exception as problem:
        # Plainly, without local variables: one of them is the client with its secret.
        traceback.print_exc()
        said = {"problem": f"{type(problem).__name__}: {problem}"[:3000]}
    finally:
        manager.telling = b""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # closed by the work, or nobody reads it any more
            stream.flush()
    return said
