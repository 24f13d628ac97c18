"""A platform process of several on one database. Its driver writes each step that it begins and ends to a file."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from tradewind_platform.domain.health import Condition
from tradewind_platform.domain.operations import Kind
from tradewind_platform.reconciler.driver import Document
from tradewind_platform.reconciler.reconciler import Reconciler
from tradewind_platform.security.key_ring import KeyRing
from tradewind_platform.store.leadership import leadership_of
from tradewind_platform.store.sessions import Store, open_engine

STEPS = tuple(f"step-{number}" for number in range(6))


class Writing:
    """A step takes half a second."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def steps(self, kind: Kind) -> Sequence[str]:
        return STEPS

    def undo(self, kind: Kind, failed: str) -> Sequence[str]:
        return ()

    def apply(self, step: str, document: Document) -> None:
        self._write("begin", document.slug, step)
        threading.Event().wait(0.5)
        self._write("end", document.slug, step)

    def keep(self, document: Document) -> None:
        """Nothing ends by itself."""

    def observe(self, document: Document) -> Sequence[Condition]:
        return ()

    def _write(self, what: str, slug: str, step: str) -> None:
        with open(self._file, "a") as file:
            file.write(f"{what} {slug} {step} {os.getpid()}\n")


if __name__ == "__main__":
    url, keys, file = sys.argv[1:]
    engine = open_engine(url)
    reconciler = Reconciler(
        Store(engine),
        KeyRing(Path(keys)),
        {"fake": Writing(Path(file))},
        leadership=leadership_of(engine),
        observe_every=1.0,
    )
    reconciler.run()
