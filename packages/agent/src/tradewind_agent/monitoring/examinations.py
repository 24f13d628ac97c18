"""What the doctor finds in this agent's task environments, for a sentinel that asks on the agent's own port."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog

from tradewind_agent.kits import aiotasks

log = structlog.get_logger(__name__)

EVERY: Final = 600.0
"""Seconds between two examinations at least, however often somebody asks: each imports Airflow once in each environment."""

Examine = Callable[[], Awaitable[Sequence[Mapping[str, str]]]]


class Examinations:
    """The results of the last examination. Asking for them starts the next one when it is due; nothing runs unasked."""

    def __init__(
        self, examine: Examine | None, *, masked: Callable[[str], str], now: Callable[[], float]
    ) -> None:
        self._examine = examine
        self._masked = masked
        self._now = now
        self._results: list[dict[str, str]] = []
        self._at: float | None = None
        self._begun: float | None = None
        self._task: asyncio.Task[None] | None = None

    def document(self) -> dict[str, Any]:
        """For JSON: `at` is when the results were found, None before the first ones."""
        running = self._task is not None and not self._task.done()
        due = self._begun is None or self._now() - self._begun >= EVERY
        if self._examine is not None and due and not running:
            self._begun = self._now()
            self._task = asyncio.create_task(self._run(self._examine), name="examination")
            running = True
        return {"at": self._at, "running": running, "results": self._results}

    async def close(self) -> None:
        if self._task is not None:
            await aiotasks.cancel(self._task)

    async def _run(self, examine: Examine) -> None:
        try:
            found = await examine()
        except Exception as error:
            log.warning(
                "The examination of a task environment failed",
                action="examination_failed",
                error=str(error),
                exc_info=True,
            )
            return
        self._results = [{key: self._masked(value) for key, value in one.items()} for one in found]
        self._at = self._now()
