"""Do packets of full size pass? A path that drops them in silence lets small requests through and large ones hang."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from tradewind_agent.doctor import wire
from tradewind_agent.doctor.examined import Examination
from tradewind_protocol.checks import Result, failed, ok, skipped

CHECK = "mtu"
HEADERS: Final = 40  # bytes of IPv4 and TCP before a segment
_LARGE: Final = 3600  # bytes: more than two packets of Ethernet
_SEGMENTS: Final = (1420, 1360, 1300, 1240, 1160, 960, 536)


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Sends a request of several packets, and smaller packets when no answer comes."""
    if not (examination.expect_private or examination.long):
        return
    if examination.proxied:
        yield skipped(CHECK, f"the way goes through {examination.proxied}")
        return
    if not examination.answering or (examination.https and examination.tls is None):
        yield skipped(CHECK, "there is no connection to look at")
        return
    known = await _passes(examination, None)
    if known is not None:
        size = f", path MTU {known}" if known else ""
        yield ok(CHECK, f"a request of {_LARGE} bytes in packets of full size is answered{size}")
        return
    for segment in _SEGMENTS:
        if await _passes(examination, segment) is not None:
            most = segment + HEADERS
            yield failed(
                CHECK,
                f"packets of full size are lost in silence; with packets of {most} bytes the other side answers",
                f"Set the MTU of this machine to {most} (ip link set dev <interface> mtu {most}), clamp the segments' size "
                "at the router (TCPMSS --clamp-mss-to-pmtu), or let ICMP 'fragmentation needed' pass the firewalls",
            )
            return
    yield skipped(CHECK, "packets of no size are answered: the fault is another one")


async def _passes(examination: Examination, segment: int | None) -> int | None:
    """The path MTU, 0 if unknown, when a large request is answered; None when it is not."""
    patience = min(examination.patience, 5.0)
    try:
        async with wire.connected(examination, patience=patience, segment=segment) as one:
            if await one.ask(patience=patience, padding=_LARGE):
                return one.path_mtu() or 0
    except (OSError, EOFError, asyncio.TimeoutError, asyncio.LimitOverrunError):
        pass
    return None
