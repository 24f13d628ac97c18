"""What the agent tells an OpenTelemetry collector of the site's choice: spans of its own, and those of its tasks.

No library of OpenTelemetry's is needed: four message types of OTLP are all that is written, and the process stays light.
"""

from __future__ import annotations

import httpx

from tradewind_agent.http import tls
from tradewind_agent.settings import Settings
from tradewind_agent.traces import spans
from tradewind_agent.traces.collector import Collector

_PATH = "/v1/traces"


def from_settings(
    settings: Settings, *, resource: spans.Attributes, transport: httpx.AsyncBaseTransport | None = None
) -> Collector | None:
    """The collector the settings name; None when they name none. Raises SettingsWrong for files TLS cannot use."""
    if not settings.traces_endpoint:
        return None
    url = settings.traces_endpoint
    given = settings.traces_headers.get_secret_value() if settings.traces_headers is not None else ""
    pairs = (each.partition("=") for each in given.split(",") if each.strip())
    return Collector(
        url=url if url.endswith(_PATH) else url + _PATH,
        headers={name.strip(): value.strip() for name, _, value in pairs},
        resource=resource,
        tls=tls.context(settings, url),
        transport=transport,
    )
