"""A machine that has no process to spare: a cgroup of the test's own, where the kernel lets us make one."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PARENTS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))


@dataclass(frozen=True)
class Processes:
    """How many processes there may be of a command and all below it."""

    place: Path

    @property
    def before_a_command(self) -> list[str]:
        return ["/bin/sh", "-c", f'echo $$ > {self.place}/cgroup.procs && exec "$@"', "sh"]

    @property
    def current(self) -> int:
        return int((self.place / "pids.current").read_text())

    def allow(self, most: int | None) -> None:
        (self.place / "pids.max").write_text("max" if most is None else str(most))

    def wait_for(self, count: int) -> None:
        """Until so many are left: what has been killed is collected a moment later."""
        deadline = time.monotonic() + 20
        while self.current > count:
            assert time.monotonic() < deadline, f"{self.current} processes are left"
            time.sleep(0.01)


@contextmanager
def limited() -> Iterator[Processes | None]:
    """A place without a limit at first; None where it cannot be had (it needs root and a writable cgroup file system). Nothing may be
    left in it at the end."""
    place = _make()
    try:
        yield None if place is None else Processes(place)
    finally:
        if place is not None:
            Processes(place).wait_for(0)
            place.rmdir()


def _make() -> Path | None:
    name = f"tradewind-test-{os.getpid()}-{uuid.uuid4().hex[:6]}"
    for parent in _PARENTS:
        place = parent / name
        try:
            place.mkdir()
        except OSError:
            continue
        if (place / "pids.max").exists():
            return place
        place.rmdir()
    return None
