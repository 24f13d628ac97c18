"""A machine with little memory: a cgroup of the test's own, where the kernel lets us make one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_V1 = Path("/sys/fs/cgroup/memory")
_V2 = Path("/sys/fs/cgroup")


@contextmanager
def limited(size: int) -> Iterator[list[str] | None]:
    """What to put before a command so that it and all below it share `size` bytes of memory; None where that cannot be
    had (it needs root and a writable cgroup file system). When they want more, the kernel kills the largest of them."""
    place = _make(size)
    try:
        yield None if place is None else _command(place)
    finally:
        if place is not None:
            with suppress(OSError):
                place.rmdir()


def _command(place: Path) -> list[str]:
    return ["/bin/sh", "-c", f'echo $$ > {place}/cgroup.procs && exec "$@"', "sh"]


def _make(size: int) -> Path | None:
    name = f"tradewind-test-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    for parent, limit in ((_V1, "memory.limit_in_bytes"), (_V2, "memory.max")):
        place = parent / name
        try:
            place.mkdir()
        except OSError:
            continue
        try:
            (place / limit).write_text(str(size))
            return place
        except OSError:
            place.rmdir()
    return None
