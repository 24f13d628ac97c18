"""Which agents this driver has cordoned: a file for each Deployment."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

from tradewind_platform.reconciler.driver import Document


class CordonedFiles:
    """Below `directory`, readable for the platform only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def of(self, document: Document) -> set[str]:
        """Empty when there are none."""
        try:
            return set(json.loads(self._file(document).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return set()

    def keep(self, document: Document, agents: Collection[str]) -> None:
        """These from now on. None: forget them."""
        file = self._file(document)
        if not agents:
            file.unlink(missing_ok=True)
            return
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(sorted(agents)), encoding="utf-8")
        part.replace(file)

    def _file(self, document: Document) -> Path:
        return self._directory / f"{document.slug}.json"
