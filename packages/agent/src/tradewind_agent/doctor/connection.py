"""Does anything answer at the plane's address and port?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from tradewind_agent.doctor.results import Examination, Result, failed, ok, skipped
from tradewind_agent.kits import aiotime

CHECK = "tcp"


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Connects and hangs up."""
    if examination.proxied:
        yield skipped(CHECK, f"the way goes through {examination.proxied}")
        return
    if not examination.reachable:
        yield skipped(CHECK, "the plane's name has no address")
        return
    parts = urlsplit(examination.settings.plane_url)
    port = parts.port or (443 if examination.https else 80)
    begun = time.monotonic()
    try:
        _, writer = await aiotime.within(asyncio.open_connection(parts.hostname, port), examination.patience)
    except (OSError, asyncio.TimeoutError) as error:
        examination.reachable = False
        silent = isinstance(error, asyncio.TimeoutError)
        cause = (
            f"no answer within {examination.patience:g} s"
            if silent
            else str(getattr(error, "strerror", "") or error)
        )
        remedy = (
            f"A firewall drops it: allow outbound TCP {port} to {', '.join(examination.addresses)}"
            + (
                ", and inbound on the private endpoint's security group. Or the plane's owner has not approved the endpoint yet: "
                "look at its state"
                if examination.expect_private
                else ""
            )
            if silent
            else "Check host and port of plane_url, and that the plane runs"
            + (
                "; a private endpoint that was deleted or rejected refuses, too"
                if examination.expect_private
                else ""
            )
        )
        yield failed(CHECK, f"{parts.hostname}:{port}: {cause}", remedy)
        return
    writer.close()
    examination.answers = True
    took = (time.monotonic() - begun) * 1000
    yield ok(CHECK, f"{parts.hostname}:{port} answers in {took:.0f} ms")
