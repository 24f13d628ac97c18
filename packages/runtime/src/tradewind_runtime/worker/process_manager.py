"""The process manager: forked by the prefork process or by a preloaded process, it forks one supervisor, and every process of a
task that this supervisor asks for.

It adopts what a task leaves behind, and kills what is left before it passes on how the attempt went. Waiting for "any
child" is safe in it because all of its children but the supervisor are one attempt's at a time. It never reads what is
secret: the line of an attempt, and what a task's process is told, pass through it as pipes.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import traceback
from contextlib import suppress
from typing import NoReturn

from tradewind_runtime import kernel
from tradewind_runtime.worker import reaper, supervisor

KILL = b"kill"
"""A packet of the prefork process: kill everything under the supervisor, which then reports it."""


def serve(control_socket: socket.socket, work: supervisor.Work) -> NoReturn:
    """Be a process manager's process; never returns.

    `control_socket` is a packet socket to the prefork process. A packet with a descriptor brings the pipe with an attempt's RunAttempt
    line. When the last process of the attempt has exited, the manager sends one packet: the pids that could not be killed, a line
    end, and the result. When `control_socket` ends, no more will come, or the prefork process has exited: every process under this
    one is killed at once. When the supervisor ends, what is under it is killed and the process manager ends as the supervisor did.
    """
    try:
        _ProcessManager(control_socket, work).serve()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)  # whatever went wrong, a forked process must not go on as a second prefork process


class _ProcessManager:
    def __init__(self, control_socket: socket.socket, work: supervisor.Work) -> None:
        self._control_socket, self._work = control_socket, work
        self._task: int | None = None  # until the end of its attempt: no other process gets its pid before
        self._reported = True  # that it has ended
        kernel.default_signals()
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGINT):  # the supervisor, of the same group, acts on them
            signal.signal(number, signal.SIG_IGN)
        kernel.close_descriptors({control_socket.fileno()})
        kernel.adopt_orphans()
        kernel.title("tradewind attempt process manager")
        self._supervisor, self._link = self._fork_supervisor()
        self._woken, self._wake = os.pipe()
        for fd in (self._woken, self._wake):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)

    def serve(self) -> NoReturn:
        poller = select.poll()
        for each in (self._control_socket, self._link, self._woken):
            poller.register(each, select.POLLIN)
        while True:
            for fd, _ in poller.poll():
                if fd == self._woken:
                    with suppress(BlockingIOError):  # read with an earlier wake-up
                        os.read(self._woken, 4096)
                    self._collect()
                elif fd == self._link.fileno():
                    self._on_supervisor()
                else:
                    self._on_prefork_process()

    def _fork_supervisor(self) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        me = os.getpid()
        if (pid := os.fork()) == 0:
            kernel.die_with_parent(me)
            supervisor.serve(theirs, self._work)
        theirs.close()
        return pid, ours

    def _on_prefork_process(self) -> None:
        try:
            said, descriptors, _, _ = socket.recv_fds(self._control_socket, 16, 1)
        except OSError:
            said, descriptors = b"", []
        if not said:
            reaper.kill_descendants()
            os._exit(137 if self._task else 0)
        if said == KILL:
            everyone = reaper.descendants(os.getpid())
            reaper.send([pid for pid in everyone if pid != self._supervisor], signal.SIGKILL)
        for payload in descriptors:
            with suppress(OSError):  # it has ended: told in a moment
                socket.send_fds(self._link, [said], [payload])
            os.close(payload)

    def _on_supervisor(self) -> None:
        try:
            said, descriptors, _, _ = socket.recv_fds(self._link, 65536, 5)
        except OSError:
            said, descriptors = b"", []
        if descriptors:
            self._fork_task(descriptors)
        elif said:
            self._end(said)
        else:
            self._end_as_supervisor()

    def _fork_task(self, descriptors: list[int]) -> None:
        me = os.getpid()
        try:
            pid = os.fork()
        except OSError as problem:
            pid = -(problem.errno or 1)
        if pid == 0:
            try:
                self._run_task(me, descriptors)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(124)  # what Airflow exits with when it cannot even begin
        for fd in descriptors:
            os.close(fd)
        if pid > 0:
            self._task, self._reported = pid, False
        with suppress(OSError):  # the supervisor has ended, which is told next
            self._link.send(b"%d" % pid)

    def _run_task(self, manager: int, descriptors: list[int]) -> NoReturn:
        kernel.die_with_parent(manager)
        kernel.default_signals()
        self._control_socket.close()
        self._link.close()
        os.close(self._woken)
        os.close(self._wake)
        gc.enable()
        *ends, beginning = descriptors
        with os.fdopen(beginning, "rb") as source:
            content = source.read()
        self._work.run_task(content, ends)

    def _collect(self) -> None:
        """Collect adopted processes that have ended. The task stays a zombie until the end of its attempt, so that a signal that
        its supervisor sends late meets no other process."""
        with suppress(ChildProcessError):  # no child is left
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid == self._supervisor:
                    self._end_as_supervisor()
                if ended.si_pid == self._task:
                    if not self._reported:
                        self._reported = True
                        code = ended.si_status if ended.si_code == os.CLD_EXITED else -ended.si_status
                        with suppress(OSError):  # the supervisor has ended, which is told next
                            self._link.send(b"%d" % code)
                    return
                os.waitpid(ended.si_pid, 0)

    def _end(self, said: bytes) -> None:
        """The attempt is over: leave no process of it, then say so."""
        if self._task is not None:
            with suppress(ChildProcessError):  # collected already
                os.waitpid(self._task, os.WNOHANG)
            self._task, self._reported = None, True
        left = reaper.kill_descendants(spare=(self._supervisor,))
        self._control_socket.send(" ".join(map(str, left)).encode() + b"\n" + said)

    def _end_as_supervisor(self) -> NoReturn:
        _, status = os.waitpid(self._supervisor, 0)
        reaper.kill_descendants()
        if number := status & 0x7F:
            kernel.default_signals()
            os.kill(os.getpid(), number)
        os._exit(status >> 8)
