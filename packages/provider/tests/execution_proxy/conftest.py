"""The middleware for requests of agents, in front of Airflow's real Execution API, on a migrated SQLite database with real task instances."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from airflow.api_fastapi.app import create_app
from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.sdk.api.client import Client
from fastapi import FastAPI
from sqlalchemy import insert, update

from tradewind_protocol import ids, paths
from tradewind_protocol.sessions import Cadence
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.agent_requests import AgentRequests
from tradewind_provider.composition import compose
from tradewind_provider.services.sessions import hashed
from tradewind_provider.settings import Settings
from tradewind_provider.shortcuts.direct_dispatch import DirectDispatch
from tradewind_provider.shortcuts.single_thread import SingleThread
from tradewind_provider.shortcuts.switch import ShortcutSwitch
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData
from tradewind_provider.store.tables import AgentSession, AgentToken, Attempt


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


@pytest.fixture(scope="session")
def secret() -> Iterator[None]:
    before = conf.get("api_auth", "jwt_secret", fallback=None)
    conf.set("api_auth", "jwt_secret", "s" * 64)
    yield
    conf.remove_option("api_auth", "jwt_secret") if before is None else conf.set(
        "api_auth", "jwt_secret", before
    )


@pytest.fixture(scope="session")
def server(database: None, secret: None) -> FastAPI:
    """Airflow's own API server, reduced to the Execution API; its routes take seconds to make."""
    return create_app(apps="execution")


@pytest.fixture
async def airflow(server: FastAPI) -> AsyncIterator[FastAPI]:
    """The server, running."""
    async with server.router.lifespan_context(server):
        yield server


@dataclass
class Clock:
    at: float = 0.0

    def __call__(self) -> float:
        return self.at


class Plane:
    """Rows as the rest of the plane would write them, and ways to ask through the middleware."""

    def __init__(self, app: Any, *, largest: int = 100_000, **settings: Any) -> None:
        self.clock = Clock()
        self.app = app
        self.switch = ShortcutSwitch()
        self.parts = compose(
            Settings(cadence=Cadence(largest_body=largest), **settings), monotonic=self.clock
        )
        self.execution = self.parts.execution
        middleware = AgentRequests(app, plane=self.parts)

        async def in_server(scope: Any, receive: Any, send: Any) -> None:
            # A root middleware finds in the scope the application it stands in.
            await middleware({**scope, "app": app}, receive, send)

        self.middleware = in_server

    async def started(self, shortcuts: frozenset[str] | None = None) -> Plane:
        """As once the API server has started: None installs every shortcut of the Execution API."""
        self.switch = ShortcutSwitch(shortcuts)
        await self.execution.start({"type": "lifespan", "app": self.app, "state": {}})
        self.switch.install([DirectDispatch(self.execution), SingleThread(self.execution)])
        return self

    # ---- rows

    def session(
        self, *, policy: str = "open", components: tuple[str, ...] = ("worker",), **columns: Any
    ) -> str:
        """A live session; its token."""
        token = ids.new_secret(ids.SESSION_TOKEN_PREFIX)
        token_id = uuid4()
        with create_session() as db:
            db.add(
                AgentToken(
                    id=token_id,
                    name="t",
                    token_hash=uuid4().hex,
                    shown="tw_agent_…",
                    created_at=utc_now(),
                    created_by="ada",
                )
            )
            values: dict[str, Any] = {
                "id": uuid4(),
                "agent_id": uuid4(),
                "instance": uuid4(),
                "name": "eu-1",
                "token_id": token_id,
                "components": list(components),
                "environments": [],
                "bundles": [],
                "policy": policy,
                "host": {},
                "token_hash": hashed(token),
                "token_expires_at": utc_now() + timedelta(hours=1),
                "opened_at": utc_now(),
                "last_beat_at": utc_now(),
                **columns,
            }
            db.add(AgentSession(**values))
        return token

    def ends(self, token: str, how: str) -> None:
        """The session of `token` ends, and everybody has forgotten it."""
        with create_session() as db:
            db.execute(
                update(AgentSession)
                .where(AgentSession.token_hash == hashed(token))
                .values(ended_at=utc_now(), ended_how=how, ended_reason="test")
            )
        self.parts.sessions.forget()

    def task_instance(self, state: str = "queued") -> UUID:
        """A task instance of Dag "etl", task "extract", in a run of its own."""
        ti_id, run_id = uuid4(), f"manual__{uuid4()}"
        with create_session() as db:
            if db.get(DagBundleModel, "dags") is None:
                db.add(DagBundleModel(name="dags"))
                db.flush()
            if db.get(DagModel, "etl") is None:
                db.add(DagModel(dag_id="etl", bundle_name="dags", fileloc="/x.py", relative_fileloc="x.py"))
                db.flush()
            version = DagVersion(dag_id="etl", version_number=uuid4().int % 1_000_000_000, bundle_name="dags")
            db.add(version)
            run = DagRun(
                dag_id="etl",
                run_id=run_id,
                run_type="manual",
                run_after=utc_now(),
                logical_date=utc_now(),
                state="running",
            )
            db.add(run)
            db.flush()
            db.execute(
                insert(TaskInstance.__table__).values(
                    id=ti_id,
                    task_id="extract",
                    dag_id="etl",
                    run_id=run_id,
                    map_index=-1,
                    try_number=1,
                    max_tries=1,
                    state=state,
                    pool="default_pool",
                    pool_slots=1,
                    queue="default",
                    hostname="",
                    operator="PythonOperator",
                    dag_version_id=version.id,
                    span_status="not_started",
                )
            )
        return ti_id

    def attempt(self, token: str, subject: UUID, *, kind: str = "task", state: str = "running") -> str:
        """An attempt held by the session of `token`; the value of its header."""
        attempt_id = uuid4()
        with create_session() as db:
            session_id = db.query(AgentSession.id).filter_by(token_hash=hashed(token)).scalar()
            db.add(
                Attempt(
                    id=attempt_id,
                    kind=kind,
                    subject_id=subject,
                    label="etl.extract",
                    queue="default",
                    payload="",
                    state=state,
                    epoch=3,
                    session_id=session_id,
                    created_at=utc_now(),
                    granted_at=utc_now(),
                )
            )
        return f"{attempt_id}:3"

    def attempt_row(self, header: str) -> Any:
        with create_session() as db:
            return db.execute(
                Attempt.__table__.select().where(Attempt.__table__.c.id == UUID(header.partition(":")[0]))
            ).one()

    def ti(self, ti_id: UUID) -> Any:
        with create_session() as db:
            return db.execute(
                TaskInstance.__table__.select().where(TaskInstance.__table__.c.id == ti_id)
            ).one()

    # ---- asking

    def http(self, token: str, requester: str | None = None, **headers: str) -> httpx.AsyncClient:
        given = {"Authorization": f"Bearer {token}", **headers}
        if requester is not None:
            given[paths.ATTEMPT_HEADER] = requester
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.middleware),
            base_url="http://plane" + paths.PREFIX + paths.EXECUTION,
            headers=given,
        )

    def sdk(self, token: str, requester: str) -> Client:
        """Airflow's own client; call it from a thread."""
        return Client(
            base_url="http://plane" + paths.PREFIX + paths.EXECUTION + "/",
            token="",
            transport=_FromThread(
                httpx.ASGITransport(self.middleware), asyncio.get_running_loop(), token, requester
            ),
        )


class _FromThread(httpx.BaseTransport):
    """What the agent does on the way: the session's token and the attempt's header."""

    def __init__(
        self, inner: httpx.ASGITransport, loop: asyncio.AbstractEventLoop, token: str, requester: str
    ) -> None:
        self._inner, self._loop, self._token, self._requester = inner, loop, token, requester

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            sent = httpx.Request(
                request.method,
                request.url,
                headers={
                    **request.headers,
                    "Authorization": f"Bearer {self._token}",
                    paths.ATTEMPT_HEADER: self._requester,
                },
                content=request.content,
            )
            answer = await self._inner.handle_async_request(sent)
            body = await answer.aread()
            assert "refreshed-api-token" not in answer.headers
            decoded = ("content-encoding", "content-length")  # `aread` has undone it
            headers = [(name, value) for name, value in answer.headers.multi_items() if name not in decoded]
            return httpx.Response(answer.status_code, headers=headers, content=body)

        return asyncio.run_coroutine_threadsafe(ask(), self._loop).result(timeout=15)


with_and_without_shortcuts = pytest.mark.parametrize(
    "shortcuts", [None, frozenset()], ids=["all shortcuts", "no shortcut"]
)


@pytest.fixture
def shortcuts() -> frozenset[str] | None:
    """Those of the plane; a test may choose others by `with_and_without_shortcuts`."""
    return None


@pytest.fixture
async def plane(airflow: FastAPI, shortcuts: frozenset[str] | None) -> Plane:
    return await Plane(airflow).started(shortcuts)
