"""/healthz, /readyz, /metrics, /status and /examination of one agent, for probes, Prometheus and people on the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from tradewind_agent.kits import pages
from tradewind_agent.kits.pages import Page, PagesOnPort
from tradewind_agent.monitoring import metrics
from tradewind_protocol import prometheus

log = structlog.get_logger(__name__)


class Health:
    """The pages.

    /healthz is 200 as long as the process serves requests (the same event loop runs everything). /readyz is 200 while
    the plane answers and nothing keeps the agent from taking work. Everything is gathered when asked.
    """

    def __init__(
        self, *, document: Callable[[], dict[str, Any]], examination: Callable[[], dict[str, Any]] = dict
    ) -> None:
        self._document = document
        self._examination = examination

    async def page(self, path: str, query: str = "") -> Page:
        if path == "/healthz":
            return pages.text(200, "ok")
        if path == "/readyz":
            why = self._document().get("not_ready", "")
            return pages.text(503 if why else 200, why or "ready")
        if path == "/metrics":
            return Page(200, metrics.text(self._document()).encode(), prometheus.CONTENT_TYPE)
        if path == "/status":
            return pages.document(self._document())
        if path == "/examination":
            return pages.document(self._examination())
        return pages.text(404, "there are /healthz, /readyz, /metrics, /status and /examination")


class Probes:
    """Serves `Health` on a port from entering to leaving the context; on none for port 0.

    A port that cannot be opened does not stop the agent: `problem` says so, for the agent's own checks.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        document: Callable[[], dict[str, Any]],
        examination: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._host, self._port = host, port
        self._pages = PagesOnPort(
            host,
            port,
            Health(document=document, examination=examination),
            name="health",
            on_unopened=self._unopened,
        )
        self.problem = ""

    async def __aenter__(self) -> Probes:
        await self._pages.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._pages.__aexit__(*error)

    def _unopened(self, error: OSError) -> None:
        self.problem = (
            f"no probes and no metrics: {self._host}:{self._port} cannot be opened: {error.strerror or error}"
        )
        log.warning(
            "The port of probes and metrics cannot be opened",
            action="metrics_off",
            port=self._port,
            error=str(error),
        )
