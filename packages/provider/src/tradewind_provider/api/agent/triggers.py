"""The triggers verb of the Remote Execution API: `POST /triggers/sync`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from fastapi import APIRouter, FastAPI, Request
from starlette.concurrency import run_in_threadpool

from tradewind_protocol import triggers as wire
from tradewind_protocol.sessions import Cadence
from tradewind_protocol.states import Component
from tradewind_provider.api.agent.credentials import CurrentAgent
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.seams import database, trigger_jobs
from tradewind_provider.services import trigger_reports, triggers
from tradewind_provider.services.sessions import Agent
from tradewind_provider.services.trigger_watch import Takeover, Waiter, Watch

router = APIRouter(tags=["triggers"])


@router.post(wire.SYNC, summary="Deliver what triggers reported, and hear which to create and to stop")
async def sync(request: Request, agent: CurrentAgent, body: wire.Sync) -> wire.SyncAnswer:
    """Answers at once when there is something to create or to stop, else after the cadence's poll. Idempotent."""
    agent.require(Component.TRIGGERER)
    desk = _desk(request.app)
    applied = trigger_reports.Applied(0)
    if body.reports:
        applied = await run_in_threadpool(desk.apply, agent, body)
    found = await _news(request, desk, agent, body) if body.news else wire.SyncAnswer()
    return found.model_copy(update={"applied_through": applied.through, "refused": applied.refused})


class Desk:
    """What answers the verb in one API server: its clock, its watch, and when it takes over."""

    def __init__(self, *, clock: Clock, cadence: Cadence) -> None:
        self.clock = clock
        self.hold = cadence.poll
        silence = max(trigger_jobs.health_threshold(), cadence.lost_after)
        self.takeover = Takeover(timedelta(seconds=silence), started_at=clock())
        self.watch = Watch(self._survey)

    def apply(self, agent: Agent, body: wire.Sync) -> trigger_reports.Applied:
        now = self.clock()
        return trigger_reports.apply(agent, body, alive_since=self.takeover.alive_since(now), now=now)

    def look(self, agent: Agent, body: wire.Sync) -> triggers.Look:
        now = self.clock()
        with database.create_session() as db:
            return triggers.look(db, agent, body, alive_since=self.takeover.alive_since(now), now=now)

    def _survey(self, beating: frozenset[int]) -> triggers.Survey:
        now = self.clock()
        return triggers.surveyed(beating=beating, alive_since=self.takeover.alive_since(now), now=now)


async def _news(request: Request, desk: Desk, agent: Agent, body: wire.Sync) -> wire.SyncAnswer:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (desk.hold if body.hold is None else max(0.0, min(body.hold, desk.hold)))
    found = await run_in_threadpool(desk.look, agent, body)
    waiter = Waiter(found.job_id, assigned=found.assigned, beating=body.working)
    with desk.watch.waiting(waiter):
        while not found.is_news and await waiter.changed(deadline - loop.time()):
            if await request.is_disconnected():
                break
            found = await run_in_threadpool(desk.look, agent, body)
            waiter.assigned = found.assigned
    return found.answer


def _desk(app: FastAPI) -> Desk:
    """Of this application: made with its first request, in its event loop."""
    desk: Desk | None = getattr(app.state, "trigger_desk", None)
    if desk is None:
        desk = Desk(
            clock=getattr(app.state, "clock", utc_now), cadence=getattr(app.state, "cadence", Cadence())
        )
        app.state.trigger_desk = desk
    return desk
