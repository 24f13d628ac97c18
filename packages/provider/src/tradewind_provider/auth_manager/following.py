"""Keeps the access replica of an API server up to date: a long poll, for as long as the server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import anyio.to_thread
import structlog
from sqlalchemy.exc import SQLAlchemyError

from tradewind_protocol.access import Workload
from tradewind_protocol.errors import Refused
from tradewind_provider.auth_manager.platform_client import PlatformClient
from tradewind_provider.auth_manager.replica import AccessReplica

log = structlog.get_logger(__name__)

_FIRST_RETRY: Final = 0.5
_LAST_RETRY: Final = 10.0
_USES_EVERY: Final = 60.0
_WORKLOAD_EVERY: Final = 10.0
_WORKLOAD_AGAIN: Final = 300.0

Sleep = Callable[[float], Awaitable[None]]


async def follow(replica: AccessReplica, platform: PlatformClient, *, sleep: Sleep = asyncio.sleep) -> None:
    """Run until it is cancelled. A platform that does not answer is asked again, ever more slowly; it stops nothing here."""
    since, retry = None, _FIRST_RETRY  # asked without a revision, the platform answers at once
    while True:
        try:
            document = await platform.access(since)
            if document is None:
                await anyio.to_thread.run_sync(replica.heard)
            else:
                await anyio.to_thread.run_sync(replica.accept, document)
                log.debug("Roles are up to date", action="access_heard", revision=document.revision)
        except (Refused, ValueError) as error:
            if retry == _FIRST_RETRY:
                log.warning(
                    "The platform does not answer about roles; the last answer applies",
                    action="access_unheard",
                    error=str(error),
                )
            await sleep(retry)
            since, retry = None, min(retry * 2, _LAST_RETRY)
            continue
        since, retry = replica.revision, _FIRST_RETRY


async def report_uses(
    replica: AccessReplica, platform: PlatformClient, *, sleep: Sleep = asyncio.sleep
) -> None:
    """Tell the platform every minute which API tokens were used. Run until it is cancelled."""
    while True:
        await sleep(_USES_EVERY)
        uses = replica.take_uses()
        if not uses:
            continue
        try:
            await platform.report_uses(uses)
        except Refused as error:
            log.debug("Uses of API tokens are not reported", action="token_uses_unreported", error=str(error))


async def report_workload(
    replica: AccessReplica,
    platform: PlatformClient,
    count: Callable[[], Workload],
    complete: Callable[[Workload], Workload] = lambda one: one,
    *,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Tell the platform how much work there is, and how old the replica is: when the work has changed, and every five minutes.
    Run until it is cancelled.

    `count` is called in a thread, every ten seconds. `complete` adds what need not be looked at so often: it is called in a thread,
    too, before each telling.
    """
    told: Workload | None = None
    since, is_heard = 0.0, False
    while True:
        try:
            workload = await anyio.to_thread.run_sync(count)
            age = replica.age
            if workload != told or since >= _WORKLOAD_AGAIN or (age is not None) is not is_heard:
                whole = await anyio.to_thread.run_sync(complete, workload)
                await platform.report_workload(whole.model_copy(update={"access_age": age}))
                told, since, is_heard = workload, 0.0, age is not None
        except (Refused, SQLAlchemyError) as error:
            told = None
            log.debug("The workload is not reported", action="workload_unreported", error=str(error))
        await sleep(_WORKLOAD_EVERY)
        since += _WORKLOAD_EVERY
