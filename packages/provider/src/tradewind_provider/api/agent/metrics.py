"""`GET /metrics` and `GET /readyz`, for Prometheus and probes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.orm import Session

from tradewind_protocol import prometheus
from tradewind_protocol.errors import Code, Refused
from tradewind_provider.api import problems, transactions
from tradewind_provider.api.agent import sessions
from tradewind_provider.api.agent.site import token_holder
from tradewind_provider.api.plane import Plane, ThisPlane
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import ended_attempts, metrics
from tradewind_provider.services.ended_attempts import EndedAttempts

router = APIRouter(tags=["site"])

FRESH_SECONDS = 5.0


@dataclass
class _Seen:
    """What was read from the database a moment ago."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: float | None = None
    snapshot: metrics.PlaneSnapshot = field(default_factory=metrics.PlaneSnapshot)
    ended: EndedAttempts = field(
        default_factory=lambda: EndedAttempts(
            most_queues=metrics.MOST_QUEUES, other=(metrics.OTHER_QUEUES, metrics.OTHER_QUEUES)
        )
    )


@router.get("/metrics", summary="Prometheus' metrics of the plane", dependencies=[Depends(token_holder)])
async def scrape(request: Request, plane: ThisPlane) -> Response:
    """With an agent token as the bearer. All API servers say the same of agents and queues: scrape one of them, or all
    and take the maximum."""
    seen = getattr(request.app.state, "metrics_seen", None)
    if seen is None:
        seen = request.app.state.metrics_seen = _Seen()
    async with seen.lock:
        if seen.at is None or time.monotonic() - seen.at >= FRESH_SECONDS:
            seen.snapshot, seen.at = await _look(plane, seen.ended), time.monotonic()
    snapshot = replace(
        seen.snapshot,
        versions=(sessions.version_of("tradewind-provider"), sessions.version_of("apache-airflow-core")),
        polls=plane.dispatcher.polls if plane.dispatcher is not None else 0,
        log_streams=plane.relay.open_streams,
        refusals=dict(problems.ANSWERED),
        shortcuts=plane.shortcuts.states,
    )
    return Response(metrics.text(snapshot), media_type=prometheus.CONTENT_TYPE)


@router.get("/readyz", summary="Whether this API server serves agents now")
async def readyz(plane: ThisPlane) -> Response:
    """Needs no credential. Refused with `unavailable` while it starts or stops, and while the database is away."""
    if plane.dispatcher is None or plane.dispatcher.stopping:
        raise Refused(Code.UNAVAILABLE, "this API server is starting or stopping", remedy="try again")
    try:
        await transactions.run(lambda db: db.connection() and None)
    except Exception as error:
        raise Refused(Code.UNAVAILABLE, "the database does not answer", remedy="try again") from error
    return Response("ready\n", media_type="text/plain")


async def _look(plane: Plane, ended: EndedAttempts) -> metrics.PlaneSnapshot:
    cadence, now = plane.settings.cadence, plane.clock()
    beats = HeartbeatLimits(cadence.poll, cadence.lost_after)
    since = ended.since(now)

    def work(db: Session) -> tuple[metrics.PlaneSnapshot, list[ended_attempts.EndedCounts]]:
        return metrics.look(db, now=now, beats=beats), ended_attempts.find(db, since=since)

    snapshot, found = await transactions.run(work)
    ended.announce((one.site or "", one.queue) for one in snapshot.queues)
    ended.count(found, now=now)
    return replace(snapshot, ended=ended.totals)
