"""Processes that outlive the one that started them, and are found again by what their environment says."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Final

import psutil  # type: ignore[import-untyped]

from tradewind.embedded.processes import LocalProcess

log = logging.getLogger(__name__)

_OWNER: Final = "TRADEWIND_PLATFORM_OWNER"
_NAME: Final = "TRADEWIND_PLATFORM_PROCESS"
_REVISION: Final = "TRADEWIND_PLATFORM_REVISION"


class Processes:
    """The processes of one driver, by owner (a Deployment's slug, or the gateway) and name.

    No file says which processes there are: their environments do. So a driver that was killed right after it started one
    finds it, too. `mark` tells the drivers of several platforms on one machine apart.
    """

    def __init__(self, mark: str) -> None:
        self._mark = mark
        self._started: dict[
            int, subprocess.Popen[bytes]
        ] = {}  # children of ours: to be waited for when they end
        self._lock = threading.Lock()

    def start(self, owner: str, process: LocalProcess, *, revision: int = 0) -> None:
        """Start it, unless it runs at this revision; one of another revision is stopped first."""
        found = self.find(owner, process.name, user=process.user)
        if found is not None:
            if found.environ().get(_REVISION) == str(revision):
                return
            self._stop([found], grace=20)
        marks = {
            _OWNER: f"{self._mark}/{owner}",
            _NAME: process.name,
            _REVISION: str(revision),
            # Airflow names its processes with setproctitle, which writes over the environment unless this is set.
            "SPT_NOENV": "1",
        }
        with process.open_log() as output:
            with self._lock:
                made = subprocess.Popen(
                    process.command,
                    env={**process.env, **marks},
                    cwd=process.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    user=process.user,
                    group=process.user,
                    extra_groups=None if process.user is None else [],
                )
                self._started[made.pid] = made
        log.info(
            "%s: started %s as process %d", owner, process.name, made.pid, extra={"action": "process_started"}
        )

    def find(self, owner: str, name: str, *, user: int | None) -> psutil.Process | None:
        """The process of that name, when it runs."""
        named = [one for one in self._of(owner, user) if one.environ().get(_NAME) == name]
        return min(named, key=lambda one: float(one.create_time()), default=None)

    def stop(self, owner: str, *, user: int | None, grace: float = 20, only: str = "") -> None:
        """End every process of an owner whose name begins with `only`, children included. Returns when all are gone."""
        found = [one for one in self._of(owner, user) if one.environ().get(_NAME, "").startswith(only)]
        self._stop(found, grace=grace)

    def stop_all(self, *, grace: float = 20) -> int:
        """End every process of every owner, children included. Returns how many there were, when all are gone."""
        found = [process for process, owner in self._marked() if owner.startswith(f"{self._mark}/")]
        self._stop(found, grace=grace)
        return len(found)

    def _of(self, owner: str, user: int | None) -> Iterator[psutil.Process]:
        """The leaders of sessions that the mark of the owner is on. Another user's process is none: any program can write
        what it likes into its environment."""
        wanted, uid = f"{self._mark}/{owner}", os.geteuid() if user is None else user
        for process, marked in self._marked():
            try:
                if marked == wanted and process.uids().real == uid:
                    yield process
            except psutil.Error:
                continue  # it has ended meanwhile

    def _marked(self) -> Iterator[tuple[psutil.Process, str]]:
        """The leaders of sessions that say of themselves whose they are."""
        self._reap()
        for process in psutil.process_iter():
            try:
                if os.getsid(process.pid) != process.pid or process.status() == psutil.STATUS_ZOMBIE:
                    continue
                owner = process.environ().get(_OWNER)
            except (psutil.Error, ProcessLookupError):
                continue  # it has ended meanwhile, or is not ours to look at
            if owner is not None:
                yield process, owner

    def _stop(self, found: list[psutil.Process], *, grace: float) -> None:
        for process in found:
            _signal(process, signal.SIGTERM)
        left = self._wait(found, timeout=grace)
        for process in found:
            # What is left of the session's group, when its leader has ended, too.
            _signal(process, signal.SIGKILL, group=True)
        self._wait(left, timeout=10)

    def _wait(self, found: list[psutil.Process], *, timeout: float) -> list[psutil.Process]:
        """Wait for them to end. Returns those that have not."""
        until = time.monotonic() + timeout
        while left := [one for one in found if not _has_ended(one)]:
            if time.monotonic() > until:
                break
            time.sleep(0.05)
            self._reap()
        self._reap()
        return left

    def _reap(self) -> None:
        with self._lock:
            self._started = {pid: one for pid, one in self._started.items() if one.poll() is None}


def _has_ended(process: psutil.Process) -> bool:
    """A zombie has: it may wait for a parent that reads no exit codes, such as the first process of a container."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _signal(process: psutil.Process, number: signal.Signals, *, group: bool = False) -> None:
    try:
        if group:
            os.killpg(process.pid, number)
        elif process.is_running():
            os.kill(process.pid, number)
    except ProcessLookupError:
        pass
