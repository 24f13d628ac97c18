"""A task that looks for secrets wherever it can read."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

import site_journal
from airflow.sdk import DAG, task

_SECRET = re.compile(rb"tw_(?:local|session|agent)_[A-Za-z0-9_-]{20,}")


def _of_memory(pid: str = "self") -> set[str]:
    found: set[str] = set()
    maps = Path(f"/proc/{pid}/maps").read_text().splitlines()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            place, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            start, end = (int(part, 16) for part in place.split("-"))
            with suppress(OSError, ValueError, OverflowError):
                memory.seek(start)
                found |= {one.decode() for one in _SECRET.findall(memory.read(end - start))}
    return found


def _of_descriptors() -> set[str]:
    found: set[str] = set()
    for fd in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{fd}")
            if target.startswith("/") and Path(target).is_file():
                found |= {one.decode() for one in _SECRET.findall(Path(target).read_bytes())}
    return found


with DAG("searching", schedule=None):

    @task(queue="search")
    def search():
        environment = " ".join(f"{name}={value}" for name, value in os.environ.items()).encode()
        planted = "_".join(("tw", "local", "planted" * 6))
        found = _of_memory() | _of_descriptors() | {one.decode() for one in _SECRET.findall(environment)}
        others = [one for one in found if "planted" not in one]
        site_journal.write("searched", planted=planted in found, others=len(others))

    search()
