"""What the holder of an agent token may ask without a session: `GET /token`, `GET /queues`, `GET /queues/{name}`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request

from tradewind_protocol import site as wire
from tradewind_protocol import versions
from tradewind_provider.api import transactions
from tradewind_provider.api.agent import sessions
from tradewind_provider.api.auth import credentials
from tradewind_provider.api.auth.rate_limiter import CredentialKind
from tradewind_provider.api.plane import ThisPlane
from tradewind_provider.services import credential_hashes, queue_depths, tokens
from tradewind_provider.services.queue_depths import QueueCount, QueueCountCache
from tradewind_provider.store.tables import AgentToken

router = APIRouter(tags=["site"])

FRESH_SECONDS = 2.0
"""How long the outcome of looking a token up is used: a deleted token opens nothing after that."""

_MOST = 1000


@dataclass(frozen=True)
class Holder:
    """Whose token it is."""

    token: str
    site: str
    expires_at: datetime | None


async def _looked_up(request: Request, plane: ThisPlane) -> Holder:
    """FastAPI dependency. Raises Refused as `tokens.use` does, VERSION_SKEW as well."""
    credentials.check_protocol(request.headers.get(versions.HEADER))
    presented = credentials.bearer(request.headers.get("authorization"))
    now = plane.clock()
    return await plane.rate_limiter.shown(
        CredentialKind.AGENT_TOKEN,
        presented,
        lambda: transactions.run(lambda db: _used(tokens.use(db, presented, now=now))),
    )


def _used(token: AgentToken) -> Holder:
    return Holder(token.name, token.site, token.expires_at)


async def token_holder(request: Request, plane: ThisPlane) -> Holder:
    """FastAPI dependency: as `_looked_up`, at most FRESH_SECONDS old."""
    known: dict[str, tuple[Holder, float]] = _state(request.app, "token_holders", dict)
    key = credential_hashes.hashed(credentials.bearer(request.headers.get("authorization")))
    holder, until = known.pop(key, (None, 0.0))
    if holder is None or until <= time.monotonic():
        holder, until = await _looked_up(request, plane), time.monotonic() + FRESH_SECONDS
    if len(known) >= _MOST:
        known.clear()
    known[key] = holder, until
    return holder


TokenHolder = Annotated[Holder, Depends(token_holder)]


@router.get(wire.TOKEN, summary="What an agent token opens")
async def about_token(plane: ThisPlane, holder: Annotated[Holder, Depends(_looked_up)]) -> wire.AboutToken:
    """Says that the token is good, and for which Deployment. Opens no session and fences no agent."""
    return wire.AboutToken(
        deployment=plane.settings.deployment,
        token=holder.token,
        site=holder.site,
        expires_at=holder.expires_at,
        policy=plane.settings.policies.of(holder.site),
        plane_version=sessions.version_of("tradewind-provider"),
        airflow_version=sessions.version_of("apache-airflow-core"),
        now=plane.clock(),
    )


@router.get(wire.QUEUES, summary="What waits and runs, by queue")
async def queues(request: Request, plane: ThisPlane, holder: TokenHolder) -> wire.QueueDepths:
    """For scalers: the queues of the token's site. However many ask, the database is asked once in a few seconds."""
    counts, age = await _counts(request.app).get()
    now = plane.clock()
    found = tuple(_depth(name, one, now) for name, one in sorted(counts.get(holder.site, {}).items()))
    return wire.QueueDepths(queues=found, age=round(age, 3))


@router.get(wire.QUEUES + "/{queue:path}", summary="What waits and runs in one")
async def one_queue(queue: str, request: Request, plane: ThisPlane, holder: TokenHolder) -> wire.QueueDepth:
    """For KEDA's metrics-api scaler: `valueLocation: work`. A queue of the token's site; an unknown one is
    empty."""
    counts, _ = await _counts(request.app).get()
    return _depth(queue, counts.get(holder.site, {}).get(queue, QueueCount()), plane.clock())


def _depth(name: str, one: QueueCount, now: datetime) -> wire.QueueDepth:
    oldest = max((now - one.oldest).total_seconds(), 0.0) if one.oldest is not None else 0.0
    return wire.QueueDepth(
        queue=name, depth=one.depth, oldest_wait=oldest, running=one.running, work=one.depth + one.running
    )


def _counts(app: FastAPI) -> QueueCountCache:
    found: QueueCountCache = _state(
        app, "queue_counts", lambda: QueueCountCache(lambda: transactions.run(queue_depths.count))
    )
    return found


def _state(app: FastAPI, name: str, make: Callable[[], Any]) -> Any:
    """Of this application, made with its first request."""
    if not hasattr(app.state, name):
        setattr(app.state, name, make())
    return getattr(app.state, name)
