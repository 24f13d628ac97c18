"""Making sure that no process of an attempt is left."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Container, Iterator
from contextlib import suppress

_LOOK_AGAIN = 0.01
"""Seconds between two looks at processes that were sent SIGKILL and are not gone yet."""


def descendants(root: int) -> list[int]:
    """Every process under `root`, parents before children, without `root`. Zombies count: they are not gone."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid, parent in _parents():
        children[parent].append(pid)
    found: list[int] = []
    todo = [root]
    while todo:
        below = children.get(todo.pop(0), [])
        found += below
        todo += below
    return found


def own_children() -> list[int]:
    """The processes whose parent is this one, which has one thread. All of them: no process leaves the kernel's list while it
    is read, since only this process could collect who has ended."""
    me = os.getpid()
    try:
        with open(f"/proc/self/task/{me}/children", "rb") as pids:
            return [int(pid) for pid in pids.read().split()]
    except OSError:  # a kernel built without it
        return [pid for pid, parent in _parents() if parent == me]


def _parents() -> Iterator[tuple[int, int]]:
    try:
        names = os.listdir("/proc")
    except OSError:
        yield from _parents_without_proc()
        return
    for name in names:
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                # "pid (name, which may hold anything) state ppid …"
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue  # ended meanwhile
        yield int(name), int(fields[1])


def _parents_without_proc() -> Iterator[tuple[int, int]]:
    import psutil  # type: ignore[import-untyped]

    for process in psutil.process_iter(["ppid"]):
        yield process.pid, int(process.info["ppid"] or 0)


def has_children() -> bool:
    """Whether any process, running or not collected yet, has this one as its parent. One system call."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def send(pids: list[int], number: signal.Signals) -> None:
    """Signal each; one that is gone, or is another user's, is passed over."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_descendants(*, spare: Container[int] = (), patience: float = 10.0) -> list[int]:
    """Kill everything under this process with SIGKILL and collect it, again and again until none is left.

    `spare` are children that stay, with all that is under them. Returns the pids that could not be killed within
    `patience` seconds (stuck in the kernel, or another user's).
    """
    deadline = time.monotonic() + patience
    while has_children():  # nearly always there are none
        strays = [pid for pid in own_children() if pid not in spare]
        if not strays:
            return []
        for stray in strays:
            send([stray, *descendants(stray)], signal.SIGKILL)
        time.sleep(0)
        left = []
        for stray in strays:
            with suppress(ChildProcessError):  # collected already
                if os.waitpid(stray, os.WNOHANG)[0] == 0:
                    left.append(stray)
        if left:
            if time.monotonic() > deadline:
                return left
            time.sleep(_LOOK_AGAIN)
    return []
