"""The publishing loop: leaves the agent's status where others find it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from tradewind_agent.monitoring import status

log = structlog.get_logger(__name__)


class Publishing:
    """Writes the status file when it has changed, at most once in `every` seconds."""

    def __init__(self, *, board: status.StatusBoard, directory: Path, every: float = 2.0) -> None:
        self._board = board
        self._directory = directory
        self._every = every

    async def run(self) -> None:
        """Never returns; a disk that refuses is logged once."""
        complained = False
        while True:
            try:
                status.write(self._directory, self._board.document())
                complained = False
            except OSError as error:
                if not complained:
                    log.warning(
                        "The status file was not written", action="status_not_written", error=str(error)
                    )
                complained = True
            await asyncio.sleep(self._every)
