"""Does anything answer at the plane's address and port?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tradewind_agent.doctor.results import Patient, Result, failed, ok, skipped

CHECK = "tcp"


async def check(patient: Patient) -> AsyncIterator[Result]:
    """Connects and hangs up."""
    if patient.proxied:
        yield skipped(CHECK, f"the way goes through {patient.proxied}")
        return
    if not patient.reachable:
        yield skipped(CHECK, "the plane's name has no address")
        return
    parts = urlsplit(patient.settings.plane_url)
    port = parts.port or (443 if patient.https else 80)
    begun = time.monotonic()
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(parts.hostname, port), patient.patience)
    except (OSError, asyncio.TimeoutError) as error:
        patient.reachable = False
        silent = isinstance(error, asyncio.TimeoutError)
        cause = (
            f"no answer within {patient.patience:g} s"
            if silent
            else str(getattr(error, "strerror", "") or error)
        )
        remedy = (
            f"A firewall drops it: allow outbound TCP {port} to {', '.join(patient.addresses)}"
            if silent
            else "Check host and port of plane_url, and that the plane runs"
        )
        yield failed(CHECK, f"{parts.hostname}:{port}: {cause}", remedy)
        return
    writer.close()
    took = (time.monotonic() - begun) * 1000
    yield ok(CHECK, f"{parts.hostname}:{port} answers in {took:.0f} ms")
