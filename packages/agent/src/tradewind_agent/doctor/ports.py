"""Is the port for probes and metrics free, or ours?"""

from __future__ import annotations

from collections.abc import AsyncIterator

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.kits import pages
from tradewind_protocol.checks import Result, ok, skipped, warning

CHECK = "port"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Opens and closes it, when no agent runs from this state directory."""
    host, port = examination.settings.metrics_host, examination.settings.metrics_port
    if port == 0:
        yield skipped(CHECK, "metrics_port is 0: no probes, no metrics")
        return
    try:
        pages.listen(host, port).close()
    except OSError as error:
        if examination.running:
            yield ok(CHECK, f"{host}:{port} is in use, and an agent runs here")
            return
        yield warning(
            CHECK,
            f"{host}:{port} cannot be opened: {error.strerror or error}",
            "Set metrics_port to a free one for each agent of a machine; the agent works without, its probes do not",
        )
        return
    yield ok(CHECK, f"{host}:{port} is free")
