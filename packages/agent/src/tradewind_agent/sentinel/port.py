"""The pages on a sentinel's own port: probes, metrics, the last report to the letter, and the backlog for scalers."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Hashable
from datetime import datetime
from typing import Any, Final

import structlog

from tradewind_agent.kits import pages
from tradewind_agent.kits.pages import Page, PagesOnPort
from tradewind_agent.sentinel import metrics
from tradewind_protocol import prometheus
from tradewind_protocol.sentinel import QueueCanary, ReportTaken, SentinelReport

log = structlog.get_logger(__name__)

FRESH_SECONDS: Final = 5.0
_MOST_QUERIES: Final = 200


class SentinelState:
    """The last report, and whether it arrived."""

    def __init__(self) -> None:
        self.report: SentinelReport | None = None
        self.canaries: tuple[QueueCanary, ...] = ()  # as the plane told them last
        self.problem = ""
        self._evaluated: float | None = None
        self._sent: float | None = None
        self._reports = 0
        self._since: dict[Hashable, datetime] = {}

    def evaluated(self, report: SentinelReport, at: float) -> None:
        self.report, self._evaluated = report, at
        wrong = {(one.check, one.subject) for one in report.findings}
        self._since = {key: since for key, since in self._since.items() if key in wrong}

    def since(self, key: tuple[str, str], now: datetime) -> datetime:
        """Since when this finding is one, for what has no time of its own."""
        return self._since.setdefault(key, now)

    def sent(self, taken: ReportTaken, at: float) -> None:
        self._sent, self.problem = at, ""
        self.canaries = taken.canaries
        self._reports += 1

    def failed(self, problem: str) -> None:
        self.problem = problem

    @property
    def not_ready(self) -> str:
        if self.report is None:
            return "nothing was evaluated yet"
        return self.problem

    def document(self) -> dict[str, Any]:
        """What left, or would have: the owner of the site can compare."""
        return {
            "not_ready": self.not_ready,
            "evaluated_at": self._evaluated,
            "sent_at": self._sent,
            "reports": self._reports,
            "report": self.report.model_dump(mode="json") if self.report is not None else None,
        }

    def metrics(self, now: float) -> str:
        age = None if self._sent is None else max(0.0, now - self._sent)
        return metrics.text(metrics.Observed(self.report, self.canaries, self._reports, age))


class Port:
    """Serves from entering to leaving the context; nothing for port 0. A port that cannot be opened stops nothing."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        state: SentinelState,
        backlog: Callable[[str], Awaitable[tuple[int, bytes]]],
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._pages = PagesOnPort(host, port, self, name="sentinel", on_unopened=_unopened)
        self._state = state
        self._backlog = backlog
        self._monotonic = monotonic
        self._now = now
        self._answers: dict[str, tuple[float, bytes]] = {}

    async def __aenter__(self) -> Port:
        await self._pages.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._pages.__aexit__(*error)

    async def page(self, path: str, query: str) -> Page:
        if path == "/healthz":
            return pages.text(200, "ok")
        if path == "/readyz":
            why = self._state.not_ready
            return pages.text(503 if why else 200, why or "ready")
        if path == "/metrics":
            return Page(200, self._state.metrics(self._now()).encode(), prometheus.CONTENT_TYPE)
        if path == "/status":
            return pages.document(self._state.document())
        if path == "/backlog":
            status, body = await self._relayed(query)
            return Page(status, body, pages.JSON)
        return pages.text(404, "there are /healthz, /readyz, /metrics, /status and /backlog")

    async def _relayed(self, query: str) -> tuple[int, bytes]:
        """At most FRESH_SECONDS old, so that a scaler that asks often costs the plane nothing. Never a refusal."""
        at, body = self._answers.get(query, (0.0, b""))
        if body and self._monotonic() - at < FRESH_SECONDS:
            return 200, body
        status, body = await self._backlog(query)
        if status == 200:
            if len(self._answers) >= _MOST_QUERIES:
                self._answers.clear()
            self._answers[query] = (self._monotonic(), body)
        return status, body


def _unopened(error: OSError) -> None:
    log.warning("The sentinel's port cannot be opened", action="sentinel_port_off", error=str(error))
