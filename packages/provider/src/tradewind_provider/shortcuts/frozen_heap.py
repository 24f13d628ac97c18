"""The garbage collector looks less often, and only at what was made since the server started."""

from __future__ import annotations

import gc
from typing import Final

MORE_OBJECTS: Final = 10_000
"""Objects more than before, after which the collector looks. With Python's 700 it looks twice a second where a thousand
agents poll, and up to 0.17 s at a time, in which nothing is answered."""


class FrozenHeap:
    """Modules, routes and validators stay for as long as the process: the collector need not look at them again. Polls
    come and go by the thousand, and nearly all of their objects are freed without a collector."""

    name: Final = "frozen-heap"

    def applies(self) -> str | None:
        return None if gc.isenabled() else "the garbage collector of this process is switched off"

    def install(self) -> None:
        gc.collect()
        gc.freeze()
        first, *others = gc.get_threshold()
        gc.set_threshold(max(first, MORE_OBJECTS), *others)
