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
    said_end, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(said_end)
            refusal = next((r for name in modules if (r := _try(name)) is not None), None)
            verdict = {"module": "", "reason": ""} if refusal is None else vars(refusal)
            os.write(said, json.dumps(verdict).encode())
        finally:
            os._exit(0)
    os.close(said)
    with os.fdopen(said_end, "rb") as source:
        answer = source.read()
    os.waitpid(pid, 0)
    if not answer:
        return Refusal(modules[0], f"a process that imported {', '.join(modules)} ended without a word")
    found = Refusal(**json.loads(answer))
    return found if found.module else None


def _try(name: str) -> Refusal | None:
    threads, sockets = thread_count(), open_sockets()
    try:
        importlib.import_module(name)
    except Exception as problem:
        return Refusal(name, f"it cannot be imported: {type(problem).__name__}: {problem}"[:2000])
    if thread_count() > threads:
        return Refusal(name, "its import leaves a thread running, which a forked process would not have")
    if open_sockets() - sockets:
        return Refusal(name, "its import leaves a socket open, which all attempts would share")
    return None


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
