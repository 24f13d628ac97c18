"""What the holder of a token may ask without a session: `/token`, `/queues`, `/queues/{name}`, `/backlog`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request

from tradewind_protocol import site as wire
from tradewind_protocol import versions
from tradewind_protocol.ids import TokenKind
from tradewind_protocol.sessions import Name
from tradewind_provider.api import transactions
from tradewind_provider.api.agent import sessions
from tradewind_provider.api.auth import credentials
from tradewind_provider.api.auth.rate_limiter import CredentialKind
from tradewind_provider.api.plane import ThisPlane
from tradewind_provider.services import credential_hashes, queue_depths, token_authentication
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
    kind: TokenKind
    expires_at: datetime | None


async def _looked_up(request: Request, plane: ThisPlane, kinds: Collection[TokenKind]) -> Holder:
    """Raises Refused as `token_authentication.authenticate` does, VERSION_SKEW as well."""
    credentials.check_protocol(request.headers.get(versions.HEADER))
    presented = credentials.bearer(request.headers.get("authorization"))
    now = plane.clock()
    return await plane.rate_limiter.shown(
        CredentialKind.AGENT_TOKEN,
        presented,
        lambda: transactions.run(
            lambda db: _used(token_authentication.authenticate(db, presented, now=now, kinds=kinds))
        ),
    )


def _used(token: AgentToken) -> Holder:
    return Holder(token.name, token.site, TokenKind(token.kind), token.expires_at)


async def _remembered(request: Request, plane: ThisPlane, kinds: Collection[TokenKind]) -> Holder:
    """As `_looked_up`, at most FRESH_SECONDS old."""
    known: dict[str, tuple[Holder, float]] = _state(request.app, "token_holders", dict)
    key = credential_hashes.hashed(credentials.bearer(request.headers.get("authorization")))
    holder, until = known.pop(key, (None, 0.0))
    if holder is None or until <= time.monotonic() or holder.kind not in kinds:
        holder, until = await _looked_up(request, plane, kinds), time.monotonic() + FRESH_SECONDS
    if len(known) >= _MOST:
        known.clear()
    known[key] = holder, until
    return holder


async def token_holder(request: Request, plane: ThisPlane) -> Holder:
    """FastAPI dependency: the holder of an agent token."""
    return await _remembered(request, plane, token_authentication.AGENTS)


async def any_holder(request: Request, plane: ThisPlane) -> Holder:
    """FastAPI dependency: the holder of a token of any kind."""
    return await _remembered(request, plane, token_authentication.ANY)


async def _holder_now(request: Request, plane: ThisPlane) -> Holder:
    """FastAPI dependency: the holder of a token that opens or reports something, looked up now."""
    return await _looked_up(request, plane, token_authentication.AGENTS | {TokenKind.SENTINEL})


QueueReader = Annotated[Holder, Depends(any_holder)]


@router.get(wire.TOKEN, summary="What an agent token opens")
async def about_token(plane: ThisPlane, holder: Annotated[Holder, Depends(_holder_now)]) -> wire.AboutToken:
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
async def queues(request: Request, plane: ThisPlane, holder: QueueReader) -> wire.QueueDepths:
    """For scalers: the queues of the token's site. However many ask, the database is asked once in a few seconds."""
    counts, age = await _counts(request.app).get()
    now = plane.clock()
    found = tuple(_depth(name, one, now) for name, one in sorted(counts.get(holder.site, {}).items()))
    return wire.QueueDepths(queues=found, age=round(age, 3))


@router.get(wire.QUEUES + "/{queue:path}", summary="What waits and runs in one")
async def one_queue(queue: str, request: Request, plane: ThisPlane, holder: QueueReader) -> wire.QueueDepth:
    """For KEDA's metrics-api scaler: `valueLocation: work`. A queue of the token's site; an unknown one is
    empty."""
    counts, _ = await _counts(request.app).get()
    return _depth(queue, counts.get(holder.site, {}).get(queue, QueueCount()), plane.clock())


@router.get(wire.BACKLOG, summary="What waits and runs in several queues together")
async def backlog(
    request: Request,
    plane: ThisPlane,
    holder: QueueReader,
    queue: Annotated[list[Name], Query(min_length=1, max_length=200)],
    group: Annotated[str, Query(max_length=250)] = "",
) -> wire.Backlog:
    """For one trigger of KEDA's metrics-api scaler (`valueLocation: work`) for agents that serve several queues. All
    queues are those of the token's site; an unknown one is empty."""
    counts, _ = await _counts(request.app).get()
    found = queue_depths.backlog(counts.get(holder.site, {}), queue, group)
    return wire.Backlog(
        work=found.depth + found.mine,
        depth=found.depth,
        running=found.running,
        oldest_wait=_waited(found.oldest, plane.clock()),
        mine=found.mine,
    )


def _depth(name: str, one: QueueCount, now: datetime) -> wire.QueueDepth:
    return wire.QueueDepth(
        queue=name,
        depth=one.depth,
        oldest_wait=_waited(one.oldest, now),
        running=one.running,
        work=one.depth + one.running,
    )


def _waited(oldest: datetime | None, now: datetime) -> float:
    return max((now - oldest).total_seconds(), 0.0) if oldest is not None else 0.0


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
