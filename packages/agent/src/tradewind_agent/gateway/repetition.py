"""Asking the plane, and waiting for it while it is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tradewind_agent.errors import PlaneUnreachable
from tradewind_agent.gateway.interfaces import Plane
from tradewind_agent.gateway.outage import Repeatability
from tradewind_agent.gateway.requests import ClientDisconnected
from tradewind_agent.http.responses import PlaneResponse

TRIES = 10
"""A plane that answers polls but breaks this one request as often as this will break it again."""


class PlaneWaitExpired(Exception):
    """The plane did not come back in time, or the request may not be repeated."""

    def __init__(self, failure: PlaneUnreachable | None, *, arrived: bool = False) -> None:
        super().__init__(str(failure) if failure else "the plane cannot be reached")
        self.arrived = arrived  # the plane may have acted on it


class AlreadyApplied(Exception):
    """The repetition came too late (the answer is with it), so the first request arrived."""


async def ask(
    plane: Plane,
    send: Callable[[], Awaitable[PlaneResponse]],
    *,
    again: Repeatability,
    patience: float,
    gone: Callable[[], Awaitable[None]],
) -> PlaneResponse:
    """The plane's answer, waiting up to `patience` seconds from now for a plane to give one.

    Raises PlaneWaitExpired, ClientDisconnected when `gone()` returned meanwhile, AlreadyApplied when `again` is DONE and a
    repetition was answered that it comes too late. A request that may have arrived is repeated only as `again` allows.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    pause = plane.cadence.retry_first
    may_have_arrived = False
    failure: PlaneUnreachable | None = None
    if not plane.reachable:
        await _wait(plane, None, until=until, gone=gone)
    for _ in range(TRIES):
        try:
            response = await send()
        except PlaneUnreachable as error:
            failure = error
            may_have_arrived = may_have_arrived or error.may_have_arrived
        else:
            if may_have_arrived and again is Repeatability.DONE and response.status_code in (404, 409, 410):
                raise AlreadyApplied
            return response
        if may_have_arrived and again is Repeatability.NEVER:
            break
        await _wait(plane, failure, until=until, gone=gone, pause=pause)
        pause = min(pause * 2, plane.cadence.retry_most)
    raise PlaneWaitExpired(failure, arrived=may_have_arrived)


async def _wait(
    plane: Plane,
    failure: PlaneUnreachable | None,
    *,
    until: float,
    gone: Callable[[], Awaitable[None]],
    pause: float = 0.0,
) -> None:
    """Return `pause` seconds from now or later, when the plane answers. Raises PlaneWaitExpired at `until`,
    ClientDisconnected."""

    async def back() -> None:
        await asyncio.sleep(pause)
        await plane.wait_reachable()

    left = until - asyncio.get_running_loop().time()
    if left <= pause:
        raise PlaneWaitExpired(failure)
    returned = asyncio.create_task(back(), name="gateway-wait-for-plane")
    hung_up = asyncio.ensure_future(gone())
    try:
        await asyncio.wait({returned, hung_up}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        if returned.done():
            return
        if hung_up.done():
            raise ClientDisconnected
        raise PlaneWaitExpired(failure)
    finally:
        returned.cancel()
        hung_up.cancel()
