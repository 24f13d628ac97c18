"""Local processes that never outlive the process that started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from tradewind.embedded.home_files import HomeFiles

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class LocalProcess:
    """One program in a process group of its own, its output in one file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        log: Path,
        user: int | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.env = dict(env)
        self.log = log
        self.user = user
        self.cwd = cwd
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it. Raises RuntimeError when it runs already."""
        if self.running:
            raise RuntimeError(f"{self.name} is already running as process {self.pid}")
        with self.open_log() as output:
            self._popen = subprocess.Popen(
                self.command,
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
            )

    def open_log(self) -> BinaryIO:
        """Its log, to be written at its end. That of another user is in a directory of its home. Raises LinkFound."""
        if self.user is not None:
            return HomeFiles(self.log.parent.parent, self.user).appended(self.log.parent.name, self.log.name)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        return self.log.open("ab")

    @property
    def pid(self) -> int:
        if self._popen is None:
            raise RuntimeError(f"{self.name} has not been started")
        return self._popen.pid

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def exit_code(self) -> int | None:
        return None if self._popen is None else self._popen.poll()

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group. A process that is gone is no error."""
        try:
            if group:
                os.killpg(self.pid, number)
            elif self.running:
                os.kill(self.pid, number)
        except ProcessLookupError:
            pass

    def wait(self, timeout: float) -> int:
        """The exit code. Raises TimeoutError naming the process when it has not ended after `timeout` seconds."""
        assert self._popen is not None
        try:
            return self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{self.name} (process {self.pid}) is still running after {timeout:g} s"
            ) from None

    def stop(self, *, grace: float = 10.0) -> None:
        """SIGTERM, then SIGKILL for the whole group after `grace` seconds. Idempotent; returns when all is gone."""
        if self._popen is None:
            return
        self.signal(signal.SIGTERM)
        try:
            self.wait(grace)
        except TimeoutError:
            pass
        self.signal(signal.SIGKILL, group=True)
        self._popen.wait()

    def tail(self, lines: int = 30) -> str:
        """The last lines of its output, for an error message."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""


def run_to_end(process: LocalProcess, *, timeout: float) -> None:
    """Run a program to its end. Raises RuntimeError with the tail of its output when it fails."""
    process.start()
    try:
        code = process.wait(timeout)
    finally:
        process.stop(grace=1)
    if code != 0:
        raise RuntimeError(f"{process.name} failed with exit code {code}:\n{process.tail()}")


def wait_until(
    condition: object, *, timeout: float, what: str, processes: Sequence[LocalProcess] = ()
) -> None:
    """Call `condition` until it is true. Raises RuntimeError when one of `processes` ends, TimeoutError at the end."""
    deadline = time.monotonic() + timeout
    assert callable(condition)
    while not condition():
        for process in processes:
            if not process.running:
                raise RuntimeError(
                    f"{process.name} ended with exit code {process.exit_code} before {what}:\n{process.tail()}"
                )
        if time.monotonic() > deadline:
            tails = "\n".join(f"--- {process.name}\n{process.tail(15)}" for process in processes)
            raise TimeoutError(f"{what}: not within {timeout:g} s\n{tails}")
        time.sleep(0.1)
