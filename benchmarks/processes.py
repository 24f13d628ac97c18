"""CPU and memory of process trees, by role."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Role:
    """Processes that count as one: those `roots` gives, each with all that is under it unless `alone`.

    `below` leaves the roots themselves out.
    """

    roots: Callable[[], list[psutil.Process]]
    alone: bool = False
    below: bool = False


def tree(pid: int) -> list[psutil.Process]:
    """The process and everything under it; nothing when it is gone."""
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu(roles: Mapping[str, Role]) -> dict[str, float]:
    """CPU-seconds of each role so far, those of ended and collected processes included."""
    return {name: _cpu(role) for name, role in roles.items()}


def _cpu(role: Role) -> float:
    total = 0.0
    for root in role.roots():
        try:
            times = root.cpu_times()
        except psutil.NoSuchProcess:
            continue
        own = times.user + times.system
        ended_children = times.children_user + times.children_system
        total += 0.0 if role.below else own
        if role.alone:
            continue
        total += ended_children
        for child in _children(root):
            try:
                its = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += its.user + its.system + its.children_user + its.children_system
    return total


def pss(roles: Mapping[str, Role]) -> dict[str, tuple[int, int]]:
    """Processes of each role and their proportional set size together, in bytes."""
    found = {}
    for name, role in roles.items():
        sizes = [size for member in members(role) if (size := _pss(member))]
        found[name] = (len(sizes), sum(sizes))
    return found


def members(role: Role) -> list[psutil.Process]:
    """The processes of that role that run now."""
    found: list[psutil.Process] = []
    for root in role.roots():
        found += [] if role.below else [root]
        found += [] if role.alone else _children(root)
    return found


def _pss(process: psutil.Process) -> int:
    try:
        with open(f"/proc/{process.pid}/smaps_rollup") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    except OSError:
        return 0


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def load() -> float:
    """CPU-seconds everything on this machine has used so far: shows what others took meanwhile."""
    times = psutil.cpu_times()
    return float(times.user + times.system + times.nice + times.irq + times.softirq)
