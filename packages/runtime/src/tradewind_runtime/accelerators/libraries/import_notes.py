"""What Dag files import, learned from attempts that began without it.

The first attempt of a Dag file, and the first after any file of its owner changed, runs in a process that has only
Airflow imported, and notes what reading the file brought in. Later ones may start from a process that has the
third-party part of that already. A file that changes the environment while it is read is never given such a start:
what a library made of the environment at its import would be older than the file.
"""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import structlog

log = structlog.get_logger(__name__)

MOST = 5000  # modules of one Dag file, and of all
_LARGEST = 4 * 1024 * 1024  # bytes of a note

Fingerprint = tuple[int, int]
"""Modification time (ns) and size of a file, (0, 0) when it is not there."""


class DagFile(msgspec.Struct, frozen=True):
    """Which file an attempt reads."""

    bundle: str
    version: str | None
    path: str


class Note(msgspec.Struct):
    """What reading one Dag file did."""

    modules: list[str]  # of libraries, in the order of their import
    own: dict[
        str, str
    ]  # module → file, of everything that is no library: the bundle's code, the Dag file itself
    fingerprints: dict[str, Fingerprint]  # of those files
    places: dict[
        str, list[str]
    ] = {}  # folder that is searched and no library's → what hides a library from there
    changes_environment: bool = False


def observed(last: str, environment: Mapping[str, str]) -> Note:
    """The note of what was imported since `last` was; call it in the process that read the file."""
    libraries: list[str] = []
    own: dict[str, str] = {}
    for name in _since(last):
        module = sys.modules.get(name)
        file = _file(module)
        if file is None:
            if getattr(getattr(module, "__spec__", None), "origin", None) in ("built-in", "frozen"):
                libraries.append(name)
        elif is_library(file):
            libraries.append(name)
        else:
            own[name] = file
    return Note(
        modules=libraries[:MOST],
        own=own,
        fingerprints={file: fingerprint(file) for file in own.values()},
        places={place: _hidden(place, libraries) for place in _own_places()},
        changes_environment=dict(os.environ) != dict(environment),
    )


def leave_note(place: Path) -> None:
    """Have the process of a task leave a `Note` at `place` once it has read its Dag file. Call it in that process, or in the
    supervisor's before it forks that one."""
    from airflow.sdk.execution_time import task_runner

    parse = getattr(task_runner, "parse", None)
    if parse is None:
        log.warning(
            "This Airflow's tasks read Dag files elsewhere: no import is noted", action="imports_not_noted"
        )
        return

    @functools.wraps(parse)
    def noting(*args: Any, **kwargs: Any) -> Any:
        last, environment = last_import(), dict(os.environ)
        parsed = parse(*args, **kwargs)
        try:
            part = place.with_suffix(".part")
            part.write_bytes(msgspec.json.encode(observed(last, environment)))
            part.rename(place)
        except Exception:  # a full disk must not fail a task
            log.debug("What this Dag file imports could not be noted", exc_info=True)
        return parsed

    task_runner.parse = noting


def last_import() -> str:
    """The module that was imported last."""
    return next(reversed(sys.modules))


def _since(last: str) -> list[str]:
    # From the end: to look at each of some thousand modules would be to copy the page of memory each of them is on.
    names: list[str] = []
    for name in reversed(sys.modules):
        if name == last:
            break
        names.append(name)
    return names[::-1]


def _own_places() -> list[str]:
    """Folders in the search path that are the owner's, not a library's."""
    return [
        place
        for place in dict.fromkeys(os.path.abspath(each) for each in sys.path)
        if not is_library(os.path.join(place, "")) and os.path.isdir(place)
    ]


def _hidden(place: str, modules: Iterable[str]) -> list[str]:
    """Which of those modules a folder has something of the same name for."""
    try:
        there = {name.partition(".")[0] for name in os.listdir(place)}
    except OSError:
        return []
    return sorted(there & {name.partition(".")[0] for name in modules})


def is_library(file: str) -> bool:
    """Whether a file belongs to Python or to an installed package. What is installed "editable" is its owner's code."""
    return file.startswith(_libraries())


@cache
def _libraries() -> tuple[str, ...]:
    named = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    found = {os.path.realpath(path) for path in named if path} | {path for path in named if path}
    return tuple(sorted(os.path.join(path, "") for path in found))


def _file(module: Any) -> str | None:
    file = getattr(module, "__file__", None)
    return file if isinstance(file, str) else None


def fingerprint(file: str) -> Fingerprint:
    try:
        stat = os.stat(file)
    except OSError:
        return (0, 0)
    return (stat.st_mtime_ns, stat.st_size)


class ImportNotes:
    """The notes, by Dag file. Attempts leave theirs in `directory`, under their ids."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._notes: dict[DagFile, Note] = {}

    def place(self, attempt_id: object) -> Path:
        """Where an attempt leaves its note."""
        return self.directory / f"{attempt_id}.json"

    def collect(self, attempt_id: object, dag_file: DagFile) -> bool:
        """Take the note of an attempt, if it has left one. True when it taught something."""
        place = self.place(attempt_id)
        try:
            if place.stat().st_size > _LARGEST:
                return False
            note = msgspec.json.decode(place.read_bytes(), type=Note)
        except (OSError, ValueError):
            return False
        finally:
            with suppress(OSError):  # there was no note
                place.unlink()
        known = self._notes.get(dag_file)
        self._notes[dag_file] = note
        return known is None or known.modules != note.modules

    def knows(self, dag_file: DagFile) -> bool:
        """Whether the file was read before and nothing of its owner's has changed since."""
        note = self._notes.get(dag_file)
        return (
            note is not None
            and all(fingerprint(file) == known for file, known in note.fingerprints.items())
            and all(_hidden(place, note.modules) == known for place, known in note.places.items())
        )

    def may_start_with(self, dag_file: DagFile, modules: Collection[str]) -> bool:
        """Whether an attempt of that file needs some of `modules`, and sees the same when all of them were imported
        before it began."""
        note = self._notes.get(dag_file)
        return (
            note is not None
            and not note.changes_environment
            and any(name in modules for name in note.modules)
            and not any(name in modules for name in note.own)
            and self.knows(dag_file)
        )

    def wanted(self) -> list[str]:
        """Every library module that Dag files import, in an order in which they were imported."""
        every: Iterable[str] = (
            name for note in self._notes.values() if not note.changes_environment for name in note.modules
        )
        return list(dict.fromkeys(every))[:MOST]
