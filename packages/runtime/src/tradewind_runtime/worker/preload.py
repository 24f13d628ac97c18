"""Modules imported once, in the zygote, so that every attempt inherits them. Never the Dags' own code.

An import cannot be taken back, so each list is tried in a forked process first: a module that leaves a thread or an
open socket behind, neither of which a fork may share, never gets into the zygote.
"""

from __future__ import annotations

import importlib
import json
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """A module that is not preloaded, and why. Attempts that need it import it themselves."""

    module: str
    reason: str


def preload(modules: Sequence[str]) -> list[Refusal]:
    """Import every module that is safe to share; returns the others. Call it from a process with one thread."""
    safe, refused = list(modules), []
    # One refusal at a time: a module imported by an unsafe one looks safe when it is tried after it.
    while safe and (refusal := _first_refusal(safe)) is not None:
        refused.append(refusal)
        safe.remove(refusal.module)
    for name in safe:
        importlib.import_module(name)
    return refused


def _first_refusal(modules: Sequence[str]) -> Refusal | None:
    """Import them in a forked process, which says each name before it tries it, and a refusal once it has one."""
    said_end, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(said_end)
            for name in modules:
                os.write(said, json.dumps([name, ""]).encode() + b"\n")
                if reason := _why_unsafe(name):
                    os.write(said, json.dumps([name, reason]).encode() + b"\n")
                    os._exit(1)
        finally:
            os._exit(0)
    os.close(said)
    with os.fdopen(said_end, "rb") as source:
        lines = source.read().splitlines()
    _, status = os.waitpid(pid, 0)
    if status == 0 or not lines:
        return None
    name, reason = json.loads(lines[-1])
    return Refusal(name, reason or "its import ends the process")


def _why_unsafe(name: str) -> str:
    threads, sockets = thread_count(), open_sockets()
    try:
        importlib.import_module(name)
    except Exception as problem:
        return f"it cannot be imported: {type(problem).__name__}: {problem}"[:2000]
    if thread_count() > threads:
        return "its import leaves a thread running, which a forked process would not have"
    if open_sockets() - sockets:
        return "its import leaves a socket open, which all attempts would share"
    return ""


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
