"""How long does a connection without traffic live on the way? Load balancers and private links drop idle ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from tradewind_agent.doctor import wire
from tradewind_agent.doctor.examined import Examination
from tradewind_protocol.checks import Result, failed, ok, skipped, warning

CHECK = "idle"
NEEDED: Final = 30.0
"""Seconds. The plane holds a poll for 25 s, and nothing is sent meanwhile."""

STEPS: Final = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
"""Shares of the whole time. Each is looked at with a connection of its own, all at once."""


@dataclass(frozen=True)
class _Seen:
    after: float
    alive: bool
    ended: bool = False  # in order or by a reset: both sides know


async def check(examination: Examination) -> AsyncIterator[Result]:
    """Lets connections idle for different times, then asks again on each."""
    if not examination.long:
        return
    if examination.proxied or not examination.reachable:
        yield skipped(CHECK, "there is no connection to look at")
        return
    measured = [_idles(examination, examination.long * share) for share in STEPS]
    found = await asyncio.gather(*measured, return_exceptions=True)
    broken = [each for each in found if isinstance(each, BaseException)]
    if broken:
        if not isinstance(broken[0], OSError | EOFError | asyncio.TimeoutError):
            raise broken[0]
        yield failed(
            CHECK,
            f"a connection breaks before it is idle: {str(broken[0]) or type(broken[0]).__name__}",
            "Run the doctor again; if it stays, ask the owners of the gateway and of the networks in between",
        )
        return
    yield _judged([each for each in found if isinstance(each, _Seen)], examination.long)


def _judged(seen: list[_Seen], longest: float) -> Result:
    alive = max((each.after for each in seen if each.alive), default=0.0)
    silent = min((each.after for each in seen if not each.alive and not each.ended), default=None)
    ended = min((each.after for each in seen if each.ended), default=None)
    if silent is not None and (ended is None or silent < ended):
        evidence = (
            f"a connection without traffic is dropped in silence after {alive:g} to {silent:g} s"
            if alive
            else f"a connection without traffic is dropped in silence before {silent:g} s"
        )
        remedy = (
            "Raise the idle time-out of the load balancer, private link, NAT or firewall on the way; "
            "agents need more than 30 s, and close what they keep unused in time"
        )
        return failed(CHECK, evidence, remedy) if silent <= NEEDED else warning(CHECK, evidence, remedy)
    if ended is not None:
        return ok(
            CHECK,
            f"the other side ends a connection without traffic after {ended:.0f} s and says so; nothing on the way drops it "
            "before",
        )
    return ok(CHECK, f"a connection without traffic lives for {longest:g} s and longer")


async def _idles(examination: Examination, seconds: float) -> _Seen:
    patience = min(examination.patience, 10.0)
    async with wire.connected(examination, patience=patience) as one:
        if not await one.ask(patience=patience):
            raise asyncio.TimeoutError("no answer to the first request")
        begun = asyncio.get_running_loop().time()
        if await one.ended(seconds):
            return _Seen(asyncio.get_running_loop().time() - begun, alive=False, ended=True)
        try:
            return _Seen(seconds, alive=await one.ask(patience=patience))
        except EOFError:  # ended in that moment
            return _Seen(seconds, alive=False, ended=True)
        except OSError:
            # a reset in answer to the second request: something forgot the connection and says so
            return _Seen(seconds, alive=False)
