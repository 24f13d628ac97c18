"""Processes that carry out what is asked of a platform's local cluster, and kill themselves at one point of it.

Run as a program, it reads numbers of points, forks a process for each, and writes how that process has ended: what takes a
second to import is imported once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support import stub_airflow
from tradewind_platform.domain.health import Condition
from tradewind_platform.domain.operations import Kind
from tradewind_platform.local.driver import LocalDriver
from tradewind_platform.local.settings import LocalSettings
from tradewind_platform.reconciler.driver import Document
from tradewind_platform.reconciler.reconciler import Reconciler
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.store.sessions import Store, open_engine


class Dying:
    """The driver of a process that is killed at the point of that number: before each step, after it, and right after each
    process that it starts."""

    def __init__(self, inner: LocalDriver, left: int) -> None:
        self._inner = inner
        self._left = left
        start = inner._processes.start

        def started(*arguments: Any, **more: Any) -> None:
            start(*arguments, **more)
            self._point()

        inner._processes.start = started  # type: ignore[method-assign]

    def _point(self) -> None:
        self._left -= 1
        if self._left == -1:
            os.kill(os.getpid(), signal.SIGKILL)

    def steps(self, kind: Kind) -> Sequence[str]:
        return self._inner.steps(kind)

    def undo(self, kind: Kind, failed: str) -> Sequence[str]:
        return self._inner.undo(kind, failed)

    def apply(self, step: str, document: Document) -> Mapping[str, Any] | None:
        self._point()
        facts = self._inner.apply(step, document)
        self._point()
        return facts

    def keep(self, document: Document) -> None:
        self._inner.keep(document)

    def observe(self, document: Document) -> Sequence[Condition]:
        return self._inner.observe(document)


def settings_of(home: Path, ports: Sequence[int], pythons: Mapping[str, Path]) -> LocalSettings:
    """Of a cluster of stubs."""
    return LocalSettings(
        home=home / "local",
        plane_python=next(iter(pythons.values())),
        environments=pythons,
        agents_listen=f"127.0.0.1:{ports[0]}",
        people_listen=f"127.0.0.1:{ports[1]}",
        probe_seconds=60,
        uv=stub_airflow.uv(home / "uv"),
    )


class DyingReconcilers:
    """The program that forks them."""

    def __init__(self, home: Path, ports: Sequence[int], pythons: Mapping[str, Path]) -> None:
        named = [f"{version}={python}" for version, python in pythons.items()]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.dying_reconciler", str(home), *map(str, ports), *named],
            cwd=Path(__file__).parents[1],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def carry_out(self, point: int) -> bool:
        """By a process that kills itself at that point. Whether it came so far; False: it has carried out everything."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{point}\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        assert status in (0, -signal.SIGKILL), f"it ended with {status}"
        return status == -signal.SIGKILL

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


def _carry_out(home: Path, ports: Sequence[int], pythons: Mapping[str, Path], point: int) -> None:
    driver = Dying(LocalDriver(settings_of(home, ports, pythons)), point)
    store = Store(open_engine(f"sqlite:///{home}/platform.db"))
    Reconciler(store, KeyRing(home / "keys"), {"local": driver}).carry_out_all()


if __name__ == "__main__":
    given, agents, people, *named = sys.argv[1:]
    made = {version: Path(python) for version, python in (one.split("=", 1) for one in named)}
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            try:
                _carry_out(Path(given), (int(agents), int(people)), made, int(line))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
