"""The dags verbs of the Remote Execution API: `POST /dags/claim`, `/dags/report` and `/dags/watch`."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.concurrency import run_in_threadpool

from tradewind_protocol import dags as wire
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.states import Component
from tradewind_provider import notifications
from tradewind_provider.airflow import dag_requests, database, site_triggers
from tradewind_provider.api import transactions
from tradewind_provider.api.plane import CurrentAgent, ThisPlane
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.services.agents import Agent
from tradewind_provider.services.dags import bundles, reports, watches

router = APIRouter(tags=["dags"])

HOLD_MOST = 30.0
LOOK_EVERY = 5.0
"""Seconds between two looks without news: keeps Airflow's health page green, and finds what no process announced."""

LARGEST_BODY = 32 * 1024 * 1024

dag_requests.install(notifications.dags_changed)
site_triggers.install()


async def _body(request: Request) -> bytes:
    """The body as it came. Raises Refused TOO_LARGE before it is read whole."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY:
            raise Refused(
                Code.TOO_LARGE,
                f"the report is larger than {LARGEST_BODY // 2**20} MiB",
                remedy="send fewer files in one report",
            )
        parts.append(part)
    return b"".join(parts)


@router.post(wire.CLAIM, summary="Claim bundles, and hear what the plane holds of them")
async def claim(request: Request, agent: CurrentAgent, body: wire.Claim) -> wire.Claimed:
    """Idempotent."""
    agent.require(Component.DAG_PROCESSOR)
    return await run_in_threadpool(_claim, agent, body, _clock(request)())


@router.post(wire.REPORT, summary="Report what changed in one bundle")
async def report(
    request: Request, agent: CurrentAgent, body: Annotated[bytes, Depends(_body)]
) -> wire.Reported:
    """Idempotent. A file that cannot be stored is refused alone."""
    agent.require(Component.DAG_PROCESSOR)
    return await run_in_threadpool(_report, agent, body, _clock(request))


@router.post(wire.WATCH, summary="Wait for what the plane wants of a dag processor")
async def watch(request: Request, agent: CurrentAgent, plane: ThisPlane, body: wire.Watch) -> wire.News:
    """Answers at once when there is something, else after `hold` seconds. Idempotent."""
    agent.require(Component.DAG_PROCESSOR)
    clock = _clock(request)
    loop = asyncio.get_running_loop()
    until = loop.time() + min(HOLD_MOST if body.hold is None else body.hold, HOLD_MOST)
    with plane.hub.subscribe(notifications.DAGS, notifications.AGENTS) as heard:
        granted = await run_in_threadpool(_heard, agent, body, clock())
        first = True
        while True:
            heard.clear()
            found = await run_in_threadpool(_look, agent, body, first, clock())
            left = until - loop.time()
            if granted or found.parse or found.callbacks or found.claim or left <= 0:
                return found.model_copy(update={"granted": granted})
            first = False
            await heard.wait(min(left, LOOK_EVERY))
            if await request.is_disconnected():
                return wire.News()


def _clock(request: Request) -> Clock:
    clock: Clock = getattr(request.app.state, "clock", utc_now)
    return clock


def _claim(agent: Agent, body: wire.Claim, now: datetime) -> wire.Claimed:
    return transactions.in_transaction(lambda db: bundles.claim(db, agent, body, now=now))


def _report(agent: Agent, body: bytes, clock: Clock) -> wire.Reported:
    return reports.store(database.create_session, agent, reports.read(body), clock=clock)


def _heard(agent: Agent, body: wire.Watch, now: datetime) -> tuple[object, ...]:
    if not (body.done or body.parsing or body.confirm):
        return ()
    return transactions.in_transaction(lambda db: watches.heard(db, agent, body, now=now))


def _look(agent: Agent, body: wire.Watch, first: bool, now: datetime) -> wire.News:
    return transactions.in_transaction(lambda db: watches.look(db, agent, body, first=first, now=now))
