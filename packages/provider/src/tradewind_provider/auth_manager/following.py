"""Keeps the access replica of an API server up to date: a long poll, for as long as the server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import anyio.to_thread
import structlog

from tradewind_protocol.errors import Refused
from tradewind_provider.auth_manager.platform_client import PlatformClient
from tradewind_provider.auth_manager.replica import AccessReplica

log = structlog.get_logger(__name__)

_FIRST_RETRY: Final = 0.5
_LAST_RETRY: Final = 10.0

Sleep = Callable[[float], Awaitable[None]]


async def follow(replica: AccessReplica, platform: PlatformClient, *, sleep: Sleep = asyncio.sleep) -> None:
    """Run until it is cancelled. A platform that does not answer is asked again, ever more slowly; it stops nothing here."""
    since, retry = None, _FIRST_RETRY  # asked without a revision, the platform answers at once
    while True:
        try:
            document = await platform.access(since)
            if document is None:
                await anyio.to_thread.run_sync(replica.confirm)
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
