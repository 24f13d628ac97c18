"""The few things asked of the kernel. Linux answers all of them; elsewhere the promise of `adopt_orphans` is lost."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36

LINUX = sys.platform == "linux"

_libc: Any = ctypes.CDLL(None, use_errno=True) if LINUX else None


def _prctl(option: int, value: int) -> None:
    if _libc is not None and _libc.prctl(option, value, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (instead of init)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def refuse_inspection() -> None:
    """Let no other process of this user read the memory of this one and of its forks. CAP_SYS_PTRACE still may."""
    _prctl(_PR_SET_DUMPABLE, 0)


def die_with_parent(parent: int) -> None:
    """Be killed at once when the process `parent`, which forked this one, ends in whatever way."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before we asked
        os._exit(137)


def default_signals() -> None:
    """Forget the signal handling inherited over a fork."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


# State of the module: the interpreter keeps what is registered for forks for as long as the process lives, and cannot take it back.
_after_forks: list[tuple[int, Callable[[], None]]] = []


def after_fork_of_mine(action: Callable[[], None]) -> Callable[[], None]:
    """Do that first in every process this one forks, but not in those they fork themselves. Call what is returned to
    have it done no more."""
    entry = (os.getpid(), action)
    _after_forks.append(entry)

    def no_more() -> None:
        with suppress(ValueError):  # a fork of this process has forgotten it
            _after_forks.remove(entry)

    return no_more


def _after_fork() -> None:
    if _after_forks:
        parent = os.getppid()
        mine = [action for owner, action in _after_forks if owner == parent]
        _after_forks.clear()
        for action in mine:
            action()


os.register_at_fork(after_in_child=_after_fork)


def close_descriptors(keep: Iterable[int]) -> None:
    """Close everything but standard input, output, error and `keep`."""
    low = 3
    for fd in sorted(set(keep)):
        if fd >= low:
            os.closerange(low, fd)
            low = fd + 1
    os.closerange(low, _highest_descriptor() + 1)


def _highest_descriptor() -> int:
    try:
        return max(int(fd) for fd in os.listdir("/proc/self/fd"))
    except OSError:
        return 4096


def out_of_memory_kills() -> tuple[int, int]:
    """How many processes the kernel killed for want of memory: in this container, on this machine. 0 if untold."""
    return _of_container(), _of_machine()


def _of_container() -> int:
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return 0
    total = 0
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            places = (
                Path("/sys/fs/cgroup") / path.lstrip("/") / "memory.events",
                Path("/sys/fs/cgroup/memory.events"),
            )
        elif "memory" in controllers.split(","):
            places = (
                Path("/sys/fs/cgroup/memory") / path.lstrip("/") / "memory.oom_control",
                Path("/sys/fs/cgroup/memory/memory.oom_control"),
            )
        else:
            continue
        total += next((count for place in places if (count := _count(place)) is not None), 0)
    return total


def _of_machine() -> int:
    return _count(Path("/proc/vmstat")) or 0


def _count(place: Path) -> int | None:
    """The value of the line "oom_kill N", None when there is no such file."""
    try:
        for line in place.read_text().splitlines():
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    except (OSError, ValueError):
        return None
    return 0


def title(text: str) -> None:
    """Name this process in the process list."""
    from setproctitle import setproctitle

    setproctitle(text)
