"""The dags verbs of the Remote Execution API: `POST /dags/claim`, `/dags/report` and `/dags/watch`."""

from __future__ import annotations

import asyncio
from datetime import datetime

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from tradewind_protocol import dags as wire
from tradewind_protocol.states import Component
from tradewind_provider import notifications
from tradewind_provider.airflow import database
from tradewind_provider.api import transactions
from tradewind_provider.api.plane import CurrentAgent, ThisPlane
from tradewind_provider.clock import Clock
from tradewind_provider.services.agents import Agent
from tradewind_provider.services.dags import bundles, parsed_reports, reports, watches

router = APIRouter(tags=["dags"])

HOLD_MOST = 30.0
LOOK_EVERY = 5.0
"""Seconds between two looks without a notification: keeps Airflow's health page green, and finds what no process announced."""


@router.post(wire.CLAIM, summary="Claim bundles, and get what the plane has of them")
async def claim(plane: ThisPlane, agent: CurrentAgent, body: wire.Claim) -> wire.Claimed:
    """Idempotent."""
    agent.require(Component.DAG_PROCESSOR)
    return await run_in_threadpool(_claim, agent, body, plane.clock())


@router.post(wire.REPORT, summary="Report what changed in one bundle")
async def report(request: Request, plane: ThisPlane, agent: CurrentAgent) -> wire.Reported:
    """Idempotent. A file that cannot be stored is refused alone."""
    # `AgentRequests` has bounded the body.
    agent.require(Component.DAG_PROCESSOR)
    return await run_in_threadpool(_report, agent, await request.body(), plane.clock)


@router.post(wire.WATCH, summary="Wait for files to parse and callbacks to run")
async def watch(request: Request, agent: CurrentAgent, plane: ThisPlane, body: wire.Watch) -> wire.News:
    """Answers at once when there is something, else after `hold` seconds. Idempotent."""
    agent.require(Component.DAG_PROCESSOR)
    clock = plane.clock
    loop = asyncio.get_running_loop()
    until = loop.time() + min(HOLD_MOST if body.hold is None else body.hold, HOLD_MOST)
    with plane.hub.subscribe(notifications.DAGS, notifications.AGENTS) as subscription:
        granted = await run_in_threadpool(_take_in, agent, body, clock())
        first = True
        while True:
            subscription.clear()
            found = await run_in_threadpool(_look, agent, body, first, clock())
            left = until - loop.time()
            if granted or found.parse or found.callbacks or found.claim or left <= 0:
                return found.model_copy(update={"granted": granted})
            first = False
            await subscription.wait(min(left, LOOK_EVERY))
            if await request.is_disconnected():
                return wire.News()


def _claim(agent: Agent, body: wire.Claim, now: datetime) -> wire.Claimed:
    return transactions.in_transaction(lambda db: bundles.claim(db, agent, body, now=now))


def _report(agent: Agent, body: bytes, clock: Clock) -> wire.Reported:
    return reports.store(database.create_session, agent, parsed_reports.read(body), clock=clock)


def _take_in(agent: Agent, body: wire.Watch, now: datetime) -> tuple[object, ...]:
    if not (body.done or body.parsing or body.confirm):
        return ()
    return transactions.in_transaction(lambda db: watches.take_in(db, agent, body, now=now))


def _look(agent: Agent, body: wire.Watch, first: bool, now: datetime) -> wire.News:
    return transactions.in_transaction(lambda db: watches.look(db, agent, body, first=first, now=now))
