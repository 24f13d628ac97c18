"""What the controller of a cluster asks: work, and that its results are kept. A cluster token says which cluster it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import anyio
import anyio.to_thread
from fastapi import APIRouter, Request, Response
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from tradewind_platform.api import problems
from tradewind_platform.api.context import Platform, platform_of
from tradewind_platform.services import cluster_tokens, cluster_work
from tradewind_protocol.controllers import PREFIX, ControllerPoll, ControllerWork, Observations, StepResult
from tradewind_protocol.errors import Code, Refused

router = APIRouter(prefix=PREFIX, include_in_schema=False)

_LOOK_EVERY: Final = 0.5
"""Seconds between two looks for work: a step may be asked for by another process of the platform."""


@dataclass(frozen=True)
class ClusterCaller:
    """The cluster whose controller asks."""

    organization: UUID
    cluster: UUID


class ClusterAuthentication:
    """Every path of controllers has a cluster, or the answer 401 before anything of its body is read."""

    def __init__(self, app: ASGIApp, platform: Platform) -> None:
        self._app = app
        self._platform = platform

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX + "/"):
            try:
                scope["tradewind_cluster"] = await anyio.to_thread.run_sync(self._caller, scope)
            except Refused as error:
                await problems.answer(error.refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> ClusterCaller:
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Refused(
                Code.TOKEN_MISSING,
                "the request has no cluster token",
                remedy="Send one: `Authorization: Bearer tw_cluster_…`.",
            )
        found = cluster_tokens.authenticate(self._platform.store, token.strip(), now=self._platform.clock())
        return ClusterCaller(*found)


@router.post("/poll")
async def poll(request: Request, ask: ControllerPoll) -> ControllerWork:
    """Work for the controller, as soon as there is some."""
    platform, caller = platform_of(request), _caller_of(request)
    until = time.monotonic() + ask.wait_seconds
    await anyio.to_thread.run_sync(_beat, platform, caller, ask)
    while time.monotonic() < until:
        if await anyio.to_thread.run_sync(_is_due, platform, caller, ask) or await request.is_disconnected():
            break
        await anyio.sleep(min(_LOOK_EVERY, max(until - time.monotonic(), 0)))
    return await anyio.to_thread.run_sync(_work, platform, caller, ask)


@router.post("/steps/{step}/result", status_code=204)
def result(request: Request, step: UUID, ask: StepResult) -> Response:
    """Keep what came of a step. Sent again, it changes nothing."""
    platform, caller = platform_of(request), _caller_of(request)
    with platform.store.transaction(caller.organization) as db:
        cluster_work.finish(db, caller.cluster, step, ask)
    platform.wake()
    return Response(status_code=204)


@router.post("/observations", status_code=204)
def observations(request: Request, ask: Observations) -> Response:
    platform, caller = platform_of(request), _caller_of(request)
    with platform.store.transaction(caller.organization) as db:
        cluster_work.observed(db, caller.cluster, ask, platform.clock())
    return Response(status_code=204)


def _caller_of(request: Request) -> ClusterCaller:
    found: ClusterCaller = request.scope["tradewind_cluster"]
    return found


def _beat(platform: Platform, caller: ClusterCaller, ask: ControllerPoll) -> None:
    with platform.store.transaction(caller.organization) as db:
        cluster_work.beat(db, caller.cluster, ask, platform.clock())


def _is_due(platform: Platform, caller: ClusterCaller, ask: ControllerPoll) -> bool:
    with platform.store.reading(caller.organization) as db:
        return cluster_work.is_due(db, caller.cluster, ask, platform.clock())


def _work(platform: Platform, caller: ClusterCaller, ask: ControllerPoll) -> ControllerWork:
    with platform.store.transaction(caller.organization) as db:
        return cluster_work.work(db, platform.ring, caller.cluster, ask, platform.clock())
