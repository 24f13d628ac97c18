"""A process that carries out what is asked of a platform's local cluster, and kills itself at one point of it."""

from __future__ import annotations

import os
import signal
import sys
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


if __name__ == "__main__":
    home, left, agents, people, *named = sys.argv[1:]
    pythons = {version: Path(python) for version, python in (one.split("=", 1) for one in named)}
    made = LocalDriver(settings_of(Path(home), (int(agents), int(people)), pythons))
    store = Store(open_engine(f"sqlite:///{home}/platform.db"))
    Reconciler(store, KeyRing(Path(home) / "keys"), {"local": Dying(made, int(left))}).carry_out_all()
