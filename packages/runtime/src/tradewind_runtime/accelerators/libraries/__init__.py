"""Libraries that Dag files import, imported once in a process that attempts are forked from: those that the owner names
(`preload`), and those that attempts were seen to import (`learn`). Never the Dags' own code."""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from tradewind_runtime.accelerators.libraries import preload

log = structlog.get_logger(__name__)


class PreloadedLibraries:
    name = "preloaded_libraries"

    def __init__(self, *, named: Sequence[str], learn: bool) -> None:
        self._named, self._learn = tuple(named), learn
        self.learns = False
        """Whether later attempts of a Dag file start with the libraries that earlier ones imported."""

    def applies(self) -> str | None:
        if not self._named and not self._learn:
            return "this environment's settings say `learn = false` and name nothing in `preload`"
        return None

    def install(self) -> None:
        for refusal in preload.preload(self._named):
            log.warning(
                "A module is not preloaded",
                action="preload_refused",
                module=refusal.module,
                reason=refusal.reason,
            )
        self.learns = self._learn
