"""The two planes, behind one face: what a test can do to a plane, and ask of it, besides speaking the protocol."""

from __future__ import annotations

import socket
import ssl
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from support import nginx
from tradewind_agent.kits.serving import Serving
from tradewind_agent.testing import FakePlane, LosingAnswers
from tradewind_protocol import ids, paths, sites, versions
from tradewind_protocol.attempts import AttemptRef, HandBack, Offer, Outcome, Start, WorkKind
from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.messages import Message
from tradewind_protocol.polling import Command, Poll, PollAnswer, Room, Verb
from tradewind_protocol.sessions import Cadence, OpenSession, SessionOpened, TaskEnvironment
from tradewind_protocol.states import Component, OutcomeKind

CADENCE = Cadence(poll=25.0, offer=10.0, lost_after=75.0)


class PlaneUnderTest(ABC):
    """A plane. Enter it; `agent()` gives those who speak to it."""

    secret: str  # an agent token
    address = "http://plane"

    def __init__(self) -> None:
        self.stack = AsyncExitStack()

    async def __aenter__(self) -> PlaneUnderTest:
        self.network = LosingAnswers(httpx.ASGITransport(app=await self.start()))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stack.aclose()

    async def agent(self, **more: Any) -> AgentUnderTest:
        client = httpx.AsyncClient(transport=self.network, base_url=self.address + paths.PREFIX, timeout=30)
        await self.stack.enter_async_context(client)
        return AgentUnderTest(client, self.secret, **more)

    @abstractmethod
    async def start(self) -> Any:
        """The application that answers under `paths.PREFIX`."""

    @abstractmethod
    def queue(self, queue: str = "default") -> UUID:
        """Work comes in."""

    @abstractmethod
    async def canary(self) -> UUID:
        """A canary of the queue `default` is due, which an agent serves."""

    @abstractmethod
    def state(self, attempt_id: UUID) -> str: ...

    @abstractmethod
    def outcome(self, attempt_id: UUID) -> str | None:
        """Of what counts."""

    @abstractmethod
    def take_back(self, attempt_id: UUID) -> None:
        """The scheduler wants it no more."""

    @abstractmethod
    def time_is_up(self, attempt_id: UUID) -> None:
        """The offer was not confirmed in time."""

    @abstractmethod
    def give_up(self, session_id: UUID) -> None:
        """The session's agent was silent for too long."""

    @abstractmethod
    def ask_for(self, session_id: UUID, verb: Verb) -> UUID:
        """A person asks something of the agent. Returns the command's id."""

    @abstractmethod
    def token(self, what: str) -> str:
        """An agent token that is `unknown`, `deleted`, `expired` or of `elsewhere`."""

    @abstractmethod
    def token_of(self, site: str) -> str:
        """A good agent token of another site than the default one."""


class AgentUnderTest:
    """Speaks the protocol, with its own messages. Each verb returns what the plane answered, or raises Refused."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        secret: str,
        *,
        agent_id: UUID | None = None,
        queues: tuple[str, ...] = ("default",),
        slots: int = 4,
        canary: bool = False,
    ) -> None:
        self.client, self.secret, self.queues, self.slots = client, secret, queues, slots
        self.canary = canary
        self.agent_id, self.instance = agent_id or uuid4(), uuid4()
        self.token = ""
        self.session: SessionOpened | None = None

    async def send(
        self,
        method: str,
        path: str,
        message: Message | dict[str, Any] | str | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One request, as it goes on the wire. Raises Refused with what the plane refused it with."""
        body = message.model_dump_json() if isinstance(message, Message) else message
        if isinstance(body, dict):
            response = await self._request(method, path, {"json": body}, headers)
        else:
            response = await self._request(method, path, {"content": body}, headers)
        assert response.headers[versions.HEADER] == str(versions.PROTOCOL)
        if response.is_success:
            return response
        said = response.json()
        refused = Refused(Code(said["error"]), said["message"], remedy=said.get("remedy", ""))
        assert refused.status == response.status_code, said
        assert refused.refusal.message
        raise refused

    async def _request(
        self, method: str, path: str, what: dict[str, Any], headers: dict[str, str] | None
    ) -> httpx.Response:
        sent = {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/json",
            versions.HEADER: str(versions.PROTOCOL),
            **(headers or {}),
        }
        return await self.client.request(
            method, path, headers={key: value for key, value in sent.items() if value != "-"}, **what
        )

    def introduction(self, **more: Any) -> OpenSession:
        return OpenSession(
            agent_id=self.agent_id,
            instance=self.instance,
            name="site-1",
            components=(Component.WORKER,),
            environments=(
                TaskEnvironment(name="main", queues=self.queues, slots=self.slots, canary=self.canary),
            ),
            **more,
        )

    async def opens(self, **more: Any) -> AgentUnderTest:
        response = await self.send(
            "POST",
            paths.SESSIONS,
            self.introduction(**more),
            headers={"authorization": f"Bearer {self.secret}"},
        )
        self.session = SessionOpened.model_validate_json(response.content)
        self.token = self.session.session_token
        return self

    @property
    def session_id(self) -> UUID:
        assert self.session is not None
        return self.session.session_id

    async def polls(self, *, free: int | None = None, hold: float | None = 0, **more: Any) -> PollAnswer:
        room = Room(environment="main", queues=self.queues, free=self.slots if free is None else free)
        response = await self.send("POST", paths.POLL, Poll(room=(room,), hold=hold, **more))
        answer = PollAnswer.model_validate_json(response.content)
        self.token = answer.session_token or self.token
        return answer

    async def offer(self, **more: Any) -> Offer:
        (one,) = (await self.polls(**more)).offers
        return one

    async def starts(self, ref: AttemptRef) -> httpx.Response:
        return await self.send("POST", paths.start(ref.attempt_id), Start(epoch=ref.epoch))

    async def finishes(
        self, ref: AttemptRef, kind: OutcomeKind = OutcomeKind.SUCCEEDED, **more: Any
    ) -> httpx.Response:
        outcome = Outcome(epoch=ref.epoch, kind=kind, **more)
        return await self.send("POST", paths.finish(ref.attempt_id), outcome)

    async def hands_back(self, ref: AttemptRef) -> httpx.Response:
        return await self.send(
            "POST", paths.hand_back(ref.attempt_id), HandBack(epoch=ref.epoch, reason="full")
        )

    async def leaves(self) -> httpx.Response:
        return await self.send("DELETE", paths.SESSIONS)


class FakePlaneUnderTest(PlaneUnderTest):
    """What agents are tested with."""

    async def start(self) -> Any:
        self.fake = FakePlane(cadence=CADENCE)
        self.secret = self.fake.token
        return self.fake

    def queue(self, queue: str = "default") -> UUID:
        return self.fake.queue(queue).id

    async def canary(self) -> UUID:
        return self.fake.queue(kind=WorkKind.CANARY).id

    def state(self, attempt_id: UUID) -> str:
        return self.fake.attempts[attempt_id].state.value

    def outcome(self, attempt_id: UUID) -> str | None:
        counts = self.fake.attempts[attempt_id].outcome
        return None if counts is None else counts.value

    def take_back(self, attempt_id: UUID) -> None:
        self.fake.take_back(self.fake.attempts[attempt_id])

    def time_is_up(self, attempt_id: UUID) -> None:
        self.fake.expire(self.fake.attempts[attempt_id])

    def give_up(self, session_id: UUID) -> None:
        self.fake.give_up(next(each for each in self.fake.sessions if each.id == session_id))

    def ask_for(self, session_id: UUID, verb: Verb) -> UUID:
        return self.fake.command(verb).id

    def token(self, what: str) -> str:
        token = ids.new_secret(ids.AGENT_TOKEN_PREFIX)
        codes = {
            "deleted": Code.TOKEN_DELETED,
            "expired": Code.TOKEN_EXPIRED,
            "elsewhere": Code.WRONG_DEPLOYMENT,
        }
        if what in codes:
            self.fake.bad_tokens[token] = codes[what]
        return token

    def token_of(self, site: str) -> str:
        token = ids.new_secret(ids.AGENT_TOKEN_PREFIX)
        self.fake.tokens.add(token)
        self.fake.sites[token] = site
        return token


class RealPlaneUnderTest(PlaneUnderTest):
    """The application that Airflow's API server mounts, with its database, without Airflow's scheduler."""

    async def start(self) -> Any:
        from starlette.applications import Starlette
        from starlette.routing import Mount

        from tradewind_provider.api.agent import app
        from tradewind_provider.composition import compose
        from tradewind_provider.settings import Settings

        _empty_database()
        self.now = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
        self.settings = Settings(cadence=CADENCE, sweep=3600.0)
        self.secret = self._new_token("ci")
        self.parts = compose(self.settings, clock=lambda: self.now)
        real = app.create_app(self.parts)
        await self.stack.enter_async_context(real.router.lifespan_context(real))
        return Starlette(routes=[Mount(paths.PREFIX.rpartition("/")[0], real)])

    def queue(self, queue: str = "default") -> UUID:
        from tradewind_provider.airflow import workloads
        from tradewind_provider.airflow.database import create_session
        from tradewind_provider.services import work_queue

        work = workloads.Workload(
            kind=WorkKind.CALLBACK,  # needs no task instance
            subject_id=uuid4(),
            queue=queue,
            priority=1,
            label=f"work of {queue}",
            workload={"type": "ExecuteCallback", "token": ""},
        )
        with create_session() as db:
            return work_queue.queue(db, work, scheduler_job_id=1, executor=None, now=self.now)

    async def canary(self) -> UUID:
        from dataclasses import replace

        from sqlalchemy import select

        from tradewind_provider.airflow.database import create_session
        from tradewind_provider.api.agent.sweeper import Sweeper
        from tradewind_provider.store.tables import Attempt

        settings = replace(self.settings, canary_interval=10.0)
        sweeper = Sweeper(settings, clock=lambda: self.now, sessions=self.parts.sessions)
        for _ in range(3):  # sees the queue, then begins when its moment has come
            await sweeper.once()
            self.now += timedelta(seconds=5)
        with create_session() as db:
            return db.scalars(select(Attempt.id).where(Attempt.kind == WorkKind.CANARY.value)).one()

    def state(self, attempt_id: UUID) -> str:
        return str(self._row(attempt_id).state)

    def outcome(self, attempt_id: UUID) -> str | None:
        found = self._row(attempt_id).outcome
        return None if found is None else str(found)

    def take_back(self, attempt_id: UUID) -> None:
        from tradewind_provider.airflow.database import create_session
        from tradewind_provider.services import work_queue

        subject = self._row(attempt_id).subject_id
        with create_session() as db:
            assert work_queue.revoke(db, [subject], reason="cleared", now=self.now) == 1

    def time_is_up(self, attempt_id: UUID) -> None:
        from tradewind_provider.airflow.database import create_session
        from tradewind_provider.services import reaper

        self.now += timedelta(seconds=CADENCE.offer + 1)
        with create_session() as db:
            assert reaper.expire_offers(db, now=self.now) == 1

    def give_up(self, session_id: UUID) -> None:
        from tradewind_provider.airflow.database import create_session
        from tradewind_provider.domain.agents import SessionEnd
        from tradewind_provider.services import session_termination
        from tradewind_provider.store.tables import AgentSession

        with create_session() as db:
            session = db.get(AgentSession, session_id)
            assert session is not None
            session_termination.end(db, session, how=SessionEnd.LOST, reason="has sent no poll", now=self.now)
        self.parts.sessions.forget()

    def ask_for(self, session_id: UUID, verb: Verb) -> UUID:
        from tradewind_provider.airflow.database import create_session
        from tradewind_provider.store.tables import AgentCommand

        command = Command(id=uuid4(), verb=verb)
        with create_session() as db:
            db.add(
                AgentCommand(
                    id=command.id,
                    session_id=session_id,
                    verb=verb.value,
                    arguments={},
                    created_at=self.now,
                    reason="a test asks",
                    asked_by="ada",
                )
            )
        return command.id

    def token(self, what: str) -> str:
        from tradewind_provider.airflow.database import create_session
        from tradewind_provider.services import deployment, tokens

        if what == "unknown":
            with create_session() as db:
                return ids.new_secret(ids.AGENT_TOKEN_PREFIX, mark=deployment.mark(db, now=self.now))
        if what == "elsewhere":
            return ids.new_secret(ids.AGENT_TOKEN_PREFIX, mark="a" * ids.MARK_LENGTH)
        secret = self._new_token(what, expires_in_days=1 if what == "expired" else None)
        if what == "expired":
            self.now += timedelta(days=2)
        else:
            with create_session() as db:
                (found,) = [one for one in tokens.listed(db) if one.name == what]
                tokens.delete(db, found.id, deleted_by="ada", now=self.now)
        return secret

    def token_of(self, site: str) -> str:
        return self._new_token(site, site=site)

    def _new_token(self, name: str, *, site: str = sites.DEFAULT, expires_in_days: int | None = None) -> str:
        from tradewind_provider.airflow.database import create_session
        from tradewind_provider.services import tokens

        with create_session() as db:
            return tokens.create(
                db,
                name=name,
                site=site,
                expires_in_days=expires_in_days,
                created_by="ada",
                now=self.now,
                limit=50,
            ).secret

    def _row(self, attempt_id: UUID) -> Any:
        from tradewind_provider.airflow.database import create_session
        from tradewind_provider.store.tables import Attempt

        with create_session() as db:
            row = db.get(Attempt, attempt_id)
            assert row is not None
            db.expunge(row)
            return row


@dataclass(frozen=True)
class Proxy:
    """A real nginx, with TLS of a private authority and a path prefix. It asks whoever takes the connections of `listener`."""

    listener: socket.socket
    url: str
    trust: ssl.SSLContext


@contextmanager
def proxying() -> Iterator[Proxy]:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        tempfile.TemporaryDirectory(prefix="tw-nginx-") as here,
        nginx.Nginx(Path(here), f"http://127.0.0.1:{listener.getsockname()[1]}") as running,
    ):
        yield Proxy(listener, running.url, running.trust())


class BehindNginx(RealPlaneUnderTest):
    """The same application on a real socket, behind an nginx."""

    def __init__(self, proxy: Proxy) -> None:
        super().__init__()
        self._proxy = proxy

    async def __aenter__(self) -> PlaneUnderTest:
        served = Serving(await self.start(), self._proxy.listener.dup(), name="plane behind nginx")
        await self.stack.enter_async_context(served)
        self.address = self._proxy.url
        self.network = LosingAnswers(httpx.AsyncHTTPTransport(verify=self._proxy.trust))
        return self


def named(request: pytest.FixtureRequest) -> PlaneUnderTest:
    """The plane that the parameter of a fixture names: `fake`, `real`, or `nginx`."""
    if request.param == "nginx":
        return BehindNginx(request.getfixturevalue("proxy"))
    return {"fake": FakePlaneUnderTest, "real": RealPlaneUnderTest}[request.param]()


def _empty_database() -> None:
    from sqlalchemy import delete

    from support import airflow_database
    from tradewind_provider.airflow.database import create_session
    from tradewind_provider.store.tables import (
        AgentCommand,
        AgentSession,
        AgentToken,
        Attempt,
        CanaryRow,
        SentinelRow,
    )

    airflow_database.migrated()
    with create_session() as db:
        for table in (Attempt, CanaryRow, AgentCommand, AgentSession, AgentToken, SentinelRow):
            db.execute(delete(table))
