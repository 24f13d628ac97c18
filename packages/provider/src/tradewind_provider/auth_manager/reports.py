"""What an API server reports to its platform for as long as it runs: uses of API tokens, and how much work there is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import anyio.to_thread
import structlog
from sqlalchemy.exc import SQLAlchemyError

from tradewind_protocol.access import Workload
from tradewind_protocol.errors import Refused
from tradewind_provider import settings
from tradewind_provider.airflow import database
from tradewind_provider.auth_manager.platform_client import PlatformClient
from tradewind_provider.auth_manager.replica import AccessReplica
from tradewind_provider.clock import utc_now
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import database_size, expiring_tokens, workload

log = structlog.get_logger(__name__)

_USES_EVERY: Final = 60.0
_COUNT_EVERY: Final = 10.0
_REPORT_EVERY: Final = 300.0  # of work that has not changed

Sleep = Callable[[float], Awaitable[None]]


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
    too, before each report.
    """
    reported: Workload | None = None
    seconds_ago, had_roles = 0.0, False
    while True:
        try:
            work = await anyio.to_thread.run_sync(count)
            age = replica.age
            has_roles = age is not None
            if work != reported or has_roles is not had_roles or seconds_ago >= _REPORT_EVERY:
                whole = await anyio.to_thread.run_sync(complete, work)
                await platform.report_workload(whole.model_copy(update={"access_age": age}))
                reported, seconds_ago, had_roles = work, 0.0, has_roles
        except (Refused, SQLAlchemyError) as error:
            reported = None
            log.debug("The workload is not reported", action="workload_unreported", error=str(error))
        await sleep(_COUNT_EVERY)
        seconds_ago += _COUNT_EVERY


def counted() -> Workload:
    """Agents and work at this moment."""
    cadence = settings.current().cadence
    beats = HeartbeatLimits(poll=cadence.poll, lost_after=cadence.lost_after)
    with database.create_session() as db:
        found = workload.count(db, now=utc_now(), beats=beats)
    return found.model_copy(update={"knows_permissions": True})


def completed(work: Workload) -> Workload:
    """With agent tokens that expire soon, and the size of the database."""
    with database.create_session() as db:
        slow = {
            "expiring_tokens": expiring_tokens.expiring(db, now=utc_now()),
            "database_bytes": database_size.size(db),
        }
    return work.model_copy(update=slow)
