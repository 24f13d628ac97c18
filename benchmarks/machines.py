"""Machines of one processor, made of this one's: the plane has the first, a remote site the second."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import processes
from benchmarks.sides import Side
from support.proc import ENDED

_OF_THE_PLANE = frozenset({"API server", "scheduler", "database"})


@contextmanager
def of_one_processor(side: Side) -> Iterator[None]:
    """Hold each process of that executor, and what it forks, on one processor: those of a remote site on the second, all
    others on the first. An executor without an agent runs its tasks on the plane's machine.

    Raises RuntimeError when this machine has one processor only.
    """
    every = os.sched_getaffinity(0)
    if len(every) < 2:
        raise RuntimeError("two machines of one processor need two processors")
    first, second = sorted(every)[:2]
    for name, role in side.roles.items():
        remote = side.agent is not None and name not in _OF_THE_PLANE
        _hold(role, {second if remote else first})
    try:
        yield
    finally:
        for role in side.roles.values():
            _hold(role, every)


def _hold(role: processes.Role, processors: set[int]) -> None:
    """A thread that begins meanwhile inherits where its maker is, so that a pass which finds none elsewhere is the last."""
    while sum(_moved(one, processors) for each in processes.members(role) for one in _threads(each.pid)):
        pass


def _threads(process: int) -> list[int]:
    try:
        return [int(each.name) for each in Path(f"/proc/{process}/task").iterdir()]
    except ENDED:
        return []


def _moved(thread: int, processors: set[int]) -> bool:
    try:
        if os.sched_getaffinity(thread) == processors:
            return False
        os.sched_setaffinity(thread, processors)
    except ProcessLookupError:
        return False
    return True
