"""Does anything answer at the plane's addresses and port?"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tradewind_agent.doctor.examined import Examination
from tradewind_agent.kits import aiotime
from tradewind_protocol.checks import Result, failed, ok, skipped, warning

CHECK = "tcp"
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Connects to each address, and hangs up. A private endpoint can have an address in each zone of a cloud."""
    if examination.proxied:
        yield skipped(CHECK, f"the way goes through {examination.proxied}")
        return
    if not examination.reachable:
        yield skipped(CHECK, "the plane's name has no address")
        return
    parts = urlsplit(examination.settings.plane_url)
    port = parts.port or (443 if examination.https else 80)
    tried = examination.addresses or (parts.hostname or "",)
    tries = await asyncio.gather(*(_connect(one, port, examination.patience) for one in tried))
    answering = [one for one in tries if not one.cause]
    wrong = [one for one in tries if one.cause]
    silent = [one.address for one in wrong if one.silent]
    if not answering:
        examination.reachable = False
        causes = {one.cause for one in wrong}
        shown = (
            causes.pop() if len(causes) == 1 else "; ".join(f"{one.address}: {one.cause}" for one in wrong)
        )
        yield failed(CHECK, f"{parts.hostname}:{port}: {shown}", _remedy(examination, port, silent))
        return
    examination.answering = answering[0].address
    took = min(one.took for one in answering) * 1000
    at = f" at {', '.join(one.address for one in answering)}" if wrong else ""
    evidence = f"{parts.hostname}:{port} answers{at} in {took:.0f} ms"
    evidence += "".join(f"; {one.address}: {one.cause}" for one in wrong)
    if any(one.routed for one in wrong):
        slower = "Agents use the other addresses, and connect more slowly. "
        yield warning(CHECK, evidence, slower + _remedy(examination, port, silent))
    else:  # such as an address of IPv6 on a machine without
        yield ok(CHECK, evidence)


@dataclass(frozen=True)
class _Try:
    """How connecting to one address went."""

    address: str
    took: float
    cause: str = ""  # empty: it answers
    silent: bool = False  # nothing came back
    routed: bool = True  # this machine has a route to it


async def _connect(address: str, port: int, patience: float) -> _Try:
    begun = time.monotonic()
    try:
        _, writer = await aiotime.within(asyncio.open_connection(address, port), patience)
    except asyncio.TimeoutError:
        return _Try(address, patience, f"no answer within {patience:g} s", silent=True)
    except OSError as error:
        cause = str(getattr(error, "strerror", "") or error)
        return _Try(address, 0.0, cause, routed=error.errno not in _NO_ROUTE)
    writer.close()
    return _Try(address, time.monotonic() - begun)


def _remedy(examination: Examination, port: int, silent: Sequence[str]) -> str:
    if silent:
        return f"A firewall drops it: allow outbound TCP {port} to {', '.join(silent)}" + (
            ", and inbound on the private endpoint's security group. Or the plane's owner has not approved the endpoint yet: "
            "look at its state"
            if examination.expect_private
            else ""
        )
    return "Check host and port of plane_url, and that the plane runs" + (
        "; a private endpoint that was deleted or rejected refuses, too" if examination.expect_private else ""
    )
