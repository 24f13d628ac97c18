"""Logs of tasks on this agent's disk, by run, and their removal."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from tradewind_agent.work.retention import Removal, Stored
from tradewind_protocol.storage import segment

_DAG: Final = "dag_id="
_RUN: Final = "run_id="


def listed(directory: Path) -> list[Stored]:
    """What is stored of each run. Files that are of no run are passed over. Blocks."""
    return [found for folder in _folders(directory) if (found := _stored(directory, folder)).files]


def removed(directory: Path, removals: Sequence[Removal], *, dry: bool) -> list[Stored]:
    """Carry out removals; for each what was removed, or with `dry` would be. Blocks."""
    folders: dict[tuple[str, str], list[Path]] = {}
    for folder in _folders(directory) if removals else ():
        folders.setdefault((_dag(folder), _run(folder)), []).append(folder)
    return [_removed(folders.get((one.stored.dag, one.stored.run), ()), one, dry=dry) for one in removals]


def _removed(folders: Iterable[Path], removal: Removal, *, dry: bool) -> Stored:
    """Tasks write these folders, and may be another user's: no link in them is followed, whenever it is put there. What cannot be
    removed is not counted: the next listing shows it again."""
    done = replace(removal.stored, files=0, bytes=0)
    for folder in folders:
        with suppress(OSError), _opened(folder.parent) as parent:
            for _, inside, files, descriptor in os.fwalk(folder.name, topdown=False, dir_fd=parent):
                for name in files:
                    with suppress(OSError):
                        about = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                        if about.st_mtime <= removal.before:
                            if not dry:
                                os.unlink(name, dir_fd=descriptor)
                            done = replace(done, files=done.files + 1, bytes=done.bytes + about.st_size)
                for name in () if dry else inside:
                    with suppress(OSError):
                        os.rmdir(name, dir_fd=descriptor)
            if not dry:
                os.rmdir(folder.name, dir_fd=parent)
    return done


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _folders(directory: Path) -> list[Path]:
    found: list[Path] = []
    with suppress(OSError):  # there is no log directory yet
        for dag in directory.iterdir():
            if dag.name.startswith(_DAG) and dag.is_dir() and not dag.is_symlink():
                found += [
                    run
                    for run in dag.iterdir()
                    if run.name.startswith(_RUN) and run.is_dir() and not run.is_symlink()
                ]
    return found


def _stored(directory: Path, folder: Path) -> Stored:
    count, size, oldest, newest = 0, 0, 0.0, 0.0
    for path, _, files in os.walk(folder):
        for name in files:
            with suppress(OSError):  # gone meanwhile
                about = Path(path, name).lstat()
                oldest = about.st_mtime if count == 0 else min(oldest, about.st_mtime)
                newest = max(newest, about.st_mtime)
                count, size = count + 1, size + about.st_size
    return Stored("log", str(directory), _dag(folder), _run(folder), count, size, oldest, newest)


def _dag(folder: Path) -> str:
    return segment(folder.parent.name.removeprefix(_DAG))


def _run(folder: Path) -> str:
    return segment(folder.name.removeprefix(_RUN))
