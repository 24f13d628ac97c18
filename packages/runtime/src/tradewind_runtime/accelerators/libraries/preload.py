"""Modules imported once, in the prefork process, so that every attempt inherits them. Never the Dags' own code.

An import cannot be taken back, so each list is tried in a forked process first: a module that leaves a thread or an
open socket behind, prints, logs or registers something for the end of the process, never gets into a process that attempts
are forked from: see `import_effects`.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass

from tradewind_runtime.accelerators import import_effects


@dataclass(frozen=True)
class Refusal:
    """A module that is not preloaded, and why. Attempts that need it import it themselves."""

    module: str
    reason: str


def preload(modules: Sequence[str]) -> list[Refusal]:
    """Import every module that is safe to share; returns the others. Call it from a process with one thread.

    Each is imported twice at the most, once to try it and once to keep it, however many are unsafe.
    """
    wanted, refused = list(modules), []
    while wanted:
        # One unsafe module at a time: what is imported by an unsafe one looks safe when it is tried after it.
        safe, missing, unsafe = _tried(wanted)
        for name in safe:
            importlib.import_module(name)
        refused += missing
        if unsafe is None:
            break
        refused.append(unsafe)
        inside = unsafe.module + "."
        wanted = [name for name in wanted[wanted.index(unsafe.module) + 1 :] if not name.startswith(inside)]
    return refused


def _tried(modules: Sequence[str]) -> tuple[list[str], list[Refusal], Refusal | None]:
    """Import them in a forked process, which says each name before it tries it: those that are safe, those that cannot be
    imported, and the first that is unsafe, after which none is tried."""
    said_end, said = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(said_end)
            watch = import_effects.Watch()
            for name in modules:
                _say(said, name, "trying")
                before = watch.state()
                missing = _why_not(name)
                if reason := import_effects.why_not_shared(before, watch.state()):
                    _say(said, name, "unsafe", reason)
                    os._exit(1)
                if missing:
                    _say(said, name, "missing", missing)
        finally:
            os._exit(0)
    os.close(said)
    with os.fdopen(said_end, "rb") as source:
        lines = [json.loads(line) for line in source.read().splitlines()]
    _, status = os.waitpid(pid, 0)
    absent = [Refusal(name, reason) for name, what, reason in lines if what == "missing"]
    unsafe = None
    if status != 0 and lines:
        name, what, reason = lines[-1]
        unsafe = Refusal(name, reason if what == "unsafe" else "its import ends the process")
    out = {each.module for each in (*absent, *([unsafe] if unsafe else ()))}
    safe = [name for name, what, _ in lines if what == "trying" and name not in out]
    return safe, absent, unsafe


def _say(to: int, name: str, what: str, reason: str = "") -> None:
    os.write(to, json.dumps([name, what, reason]).encode() + b"\n")


def _why_not(name: str) -> str:
    try:
        importlib.import_module(name)
    except Exception as problem:
        return f"it cannot be imported: {type(problem).__name__}: {problem}"[:2000]
    return ""
