"""The triggers verb of the Remote Execution API: `POST /triggers/sync`."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from fastapi import APIRouter, FastAPI, Request
from starlette.concurrency import run_in_threadpool

from tradewind_protocol import triggers as wire
from tradewind_protocol.states import Component
from tradewind_provider.airflow import trigger_jobs
from tradewind_provider.api import transactions
from tradewind_provider.api.plane import CurrentAgent, Plane, ThisPlane
from tradewind_provider.services import trigger_reports, triggers
from tradewind_provider.services.agents import Agent
from tradewind_provider.services.trigger_watch import TakeoverRule, TriggerSubscription, TriggerWatch

router = APIRouter(tags=["triggers"])


@router.post(wire.SYNC, summary="Deliver what triggers reported, and get which to create and to stop")
async def sync(body: wire.Sync, request: Request, agent: CurrentAgent, plane: ThisPlane) -> wire.SyncAnswer:
    """Answers at once when there is something to create or to stop, else after the cadence's poll. Idempotent."""
    agent.require(Component.TRIGGERER)
    sync_state = _trigger_sync(request.app, plane)
    applied = trigger_reports.AppliedReports(0)
    if body.reports:
        applied = await run_in_threadpool(sync_state.apply, agent, body)
    found = await _look_until(request, sync_state, agent, body) if body.news else wire.SyncAnswer()
    return found.model_copy(update={"applied_through": applied.through, "refused": applied.refused})


class TriggerSync:
    """What answers the verb in one API server: its watch, and when triggers are taken over."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        cadence = plane.settings.cadence
        self.hold = cadence.poll
        silence = max(trigger_jobs.health_threshold(), cadence.lost_after)
        self._takeover = TakeoverRule(timedelta(seconds=silence), started_at=plane.clock())
        self.watch = TriggerWatch(self._survey, hub=plane.hub, stopping=lambda: self.stopping)

    @property
    def stopping(self) -> bool:
        """This API server waits for its requests to end."""
        dispatcher = self._plane.dispatcher
        return dispatcher is not None and dispatcher.stopping

    def apply(self, agent: Agent, body: wire.Sync) -> trigger_reports.AppliedReports:
        """Blocks."""
        now = self._plane.clock()
        return trigger_reports.apply(agent, body, alive_since=self._takeover.alive_since(now), now=now)

    async def look(self, agent: Agent, body: wire.Sync) -> triggers.TriggerAnswer:
        now = self._plane.clock()
        alive_since = self._takeover.alive_since(now)
        return await transactions.run(
            lambda db: triggers.look(db, agent, body, alive_since=alive_since, now=now)
        )

    def _survey(self, beating: frozenset[int]) -> triggers.TriggerSurvey:
        now = self._plane.clock()
        return triggers.surveyed(beating=beating, alive_since=self._takeover.alive_since(now), now=now)


async def _look_until(
    request: Request, sync_state: TriggerSync, agent: Agent, body: wire.Sync
) -> wire.SyncAnswer:
    """Look, again at each change, until there is something for the agent or the hold is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (
        sync_state.hold if body.hold is None else max(0.0, min(body.hold, sync_state.hold))
    )
    found = await sync_state.look(agent, body)
    waiter = TriggerSubscription(found.job_id, assigned=found.assigned, beating=body.working)
    with sync_state.watch.waiting(waiter):
        while not found.is_news and await waiter.changed(deadline - loop.time()):
            if sync_state.stopping or await request.is_disconnected():
                break
            found = await sync_state.look(agent, body)
            waiter.assigned = found.assigned
    return found.answer


def _trigger_sync(app: FastAPI, plane: Plane) -> TriggerSync:
    """Of this application, made with its first request."""
    sync_state: TriggerSync | None = getattr(app.state, "trigger_sync", None)
    if sync_state is None:
        sync_state = app.state.trigger_sync = TriggerSync(plane)
    return sync_state
