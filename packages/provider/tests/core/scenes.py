"""Scenes for the tests: a clock, queued work, agents over ASGI, a transport that loses answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import httpx
from fastapi import FastAPI
from sqlalchemy import select
from sqlalchemy.orm import Session

from tradewind_protocol.attempts import WorkKind
from tradewind_protocol.sessions import Cadence
from tradewind_provider.airflow import workloads
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.agent.app import create_app
from tradewind_provider.api.agent.sweeper import Sweeper
from tradewind_provider.api.dispatch.dispatcher import Dispatcher
from tradewind_provider.composition import compose
from tradewind_provider.services import work_queue
from tradewind_provider.settings import Settings
from tradewind_provider.store.tables import AgentSession, Attempt

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)

SETTINGS = Settings(cadence=Cadence(poll=25.0, offer=10.0, lost_after=75.0), sweep=3600.0)
"""As in production, but that only tests sweep."""


@dataclass
class Clock:
    """A wall clock that moves when told."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def queued(
    clock: Clock,
    *,
    queue: str = "default",
    priority: int = 1,
    kind: WorkKind = WorkKind.CALLBACK,
    bundle: str | None = None,
    subject: UUID | None = None,
    job: int | None = 1,
    db: Session | None = None,
) -> UUID:
    """Work the scheduler queued, in a transaction of its own or in `db`. Callbacks by default: they need no task
    instance."""
    work = workloads.Workload(
        kind=kind,
        subject_id=subject or uuid4(),
        queue=queue,
        priority=priority,
        label=f"work of {queue}",
        workload={"type": "ExecuteCallback", "token": ""},
        bundle=bundle,
    )
    with create_session() if db is None else nullcontext(db) as session:
        return work_queue.queue(session, work, scheduler_job_id=job, executor=None, now=clock())


def row(attempt_id: UUID) -> Attempt:
    with create_session() as db:
        found = db.scalar(select(Attempt).where(Attempt.id == attempt_id))
        assert found is not None
        return found


def sessions_of(agent_id: UUID) -> list[AgentSession]:
    with create_session() as db:
        return list(
            db.scalars(
                select(AgentSession).where(AgentSession.agent_id == agent_id).order_by(AgentSession.opened_at)
            )
        )


class LosesAnswers(httpx.AsyncBaseTransport):
    """Lets requests reach the plane, and loses the answers to those whose path ends as told."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner
        self._lose: dict[str, int] = {}

    def of(self, ending: str, times: int = 1) -> None:
        self._lose[ending] = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        for ending, left in self._lose.items():
            if left and request.url.path.endswith(ending):
                self._lose[ending] -= 1
                raise httpx.ReadError("connection reset", request=request)
        return answer


@dataclass
class Agent:
    """An agent as the plane sees one: its verbs, and retries when an answer is lost."""

    client: httpx.AsyncClient
    secret: str
    name: str = "eu-1"
    agent_id: UUID = field(default_factory=uuid4)
    instance: UUID = field(default_factory=uuid4)
    queues: tuple[str, ...] = ("default",)
    slots: int = 4
    token: str = ""
    session_id: str = ""

    async def call(self, method: str, path: str, body: Any = None, *, bearer: str = "") -> httpx.Response:
        for _ in range(3):
            try:
                return await self.client.request(
                    method,
                    path,
                    content=None if body is None else json.dumps(body, default=str),
                    headers={
                        "authorization": f"Bearer {bearer or self.token}",
                        "content-type": "application/json",
                        "tradewind-protocol": "1.0",
                    },
                )
            except httpx.ReadError:
                continue
        raise AssertionError("every answer was lost")

    async def opens(self, **more: Any) -> Agent:
        answer = await self.open(**more)
        assert answer.status_code == 200, answer.text
        self.token, self.session_id = answer.json()["session_token"], answer.json()["session_id"]
        return self

    async def open(self, **more: Any) -> httpx.Response:
        body = {
            "agent_id": self.agent_id,
            "instance": self.instance,
            "name": self.name,
            "components": ["worker"],
            "environments": [{"name": "main", "queues": self.queues, "slots": self.slots}],
            **more,
        }
        return await self.call("POST", "/sessions", body, bearer=self.secret)

    async def poll(self, *, free: int | None = None, **more: Any) -> httpx.Response:
        free = self.slots if free is None else free
        room = [{"environment": "main", "queues": self.queues, "free": free}]
        return await self.call("POST", "/poll", {"room": room, "hold": 0, **more})

    async def offers(self, **more: Any) -> list[dict[str, Any]]:
        answer = await self.poll(**more)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["offers"])

    async def start(self, offer: dict[str, Any]) -> httpx.Response:
        return await self.call("POST", f"/attempts/{offer['attempt_id']}/start", {"epoch": offer["epoch"]})

    async def finish(self, offer: dict[str, Any], kind: str = "succeeded", **more: Any) -> httpx.Response:
        body = {"epoch": offer["epoch"], "kind": kind, **more}
        return await self.call("POST", f"/attempts/{offer['attempt_id']}/finish", body)

    async def hand_back(self, offer: dict[str, Any]) -> httpx.Response:
        return await self.call(
            "POST", f"/attempts/{offer['attempt_id']}/hand-back", {"epoch": offer["epoch"]}
        )

    async def goodbye(self) -> httpx.Response:
        return await self.call("DELETE", "/sessions")


def ref(offer: dict[str, Any]) -> dict[str, Any]:
    return {"attempt_id": offer["attempt_id"], "epoch": offer["epoch"]}


def error_of(answer: object) -> str:
    return str(answer.json()["error"])  # type: ignore[attr-defined]


@dataclass
class Plane:
    """The application, running, and agents that speak to it."""

    transport: LosesAnswers
    secret: str
    app: FastAPI
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    def agent(self, name: str = "eu-1", **more: Any) -> Agent:
        client = httpx.AsyncClient(transport=self.transport, base_url="http://plane/v1", timeout=30)
        self.clients.append(client)
        return Agent(client, self.secret, name, **more)

    @property
    def dispatcher(self) -> Dispatcher:
        found = self.app.state.plane.dispatcher
        assert isinstance(found, Dispatcher)
        return found


@asynccontextmanager
async def running(settings: Settings, clock: Clock, secret: str) -> AsyncIterator[Plane]:
    app = create_app(compose(settings, clock=clock, monotonic=lambda: clock().timestamp()))
    async with app.router.lifespan_context(app):
        plane = Plane(LosesAnswers(httpx.ASGITransport(app)), secret, app)
        yield plane
        for client in plane.clients:
            await client.aclose()


def with_cadence(settings: Settings, **more: float) -> Settings:
    return replace(settings, cadence=settings.cadence.model_copy(update=more))


def sweeper_of(settings: Settings, clock: Clock) -> Sweeper:
    """The sweeper of one more API server on the same database."""
    return Sweeper(settings, clock=clock, sessions=compose(settings, clock=clock).sessions)
