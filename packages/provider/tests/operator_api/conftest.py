"""The operator API as Airflow's API server mounts it: real tables, Airflow's own auth manager, real sign-ins."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from airflow.api_fastapi import app as airflow_app
from airflow.configuration import conf
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from fastapi import FastAPI
from sqlalchemy import delete
from sqlalchemy.orm import Session

from support.http_client import Client
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.operator.access import expected_beats
from tradewind_provider.api.operator.app import create_app
from tradewind_provider.clock import utc_now
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.store.base import Base
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.tables import AgentSession, AgentToken, Attempt

_USERS = {"ada": "admin", "olga": "op", "una": "user", "vera": "viewer"}
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)


@pytest.fixture(scope="session")
def signed_in_app(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    """Airflow's auth manager with our application beside it."""
    passwords = tmp_path_factory.mktemp("operator") / "passwords.json"
    passwords.write_text("{" + ", ".join(f'"{name}": "pw-{name}"' for name in _USERS) + "}")
    options = {
        "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
        "simple_auth_manager_users": ",".join(f"{name}:{role}" for name, role in _USERS.items()),
        "simple_auth_manager_passwords_file": str(passwords),
        "simple_auth_manager_all_admins": "False",
    }
    before = {key: conf.get("core", key, fallback=None) for key in options}
    for key, value in options.items():
        conf.set("core", key, value)
    app = FastAPI()
    airflow_app.init_auth_manager(app)
    app.mount("/tradewind", create_app())
    yield app
    for key, old in before.items():
        conf.remove_option("core", key) if old is None else conf.set("core", key, old)


@pytest.fixture
def now() -> list[datetime]:
    """The plane's clock: `now[0]` is the moment, a test may set another."""
    return [NOW]


@pytest.fixture
def app(signed_in_app: FastAPI, now: list[datetime]) -> Iterator[FastAPI]:
    """With empty tables and the test's clock."""
    with create_session() as db:
        for table in reversed(Base.metadata.sorted_tables):
            db.execute(delete(table))
        db.execute(delete(DagModel))
    mounted: Any = signed_in_app.routes[-1]
    mounted.app.dependency_overrides = {
        utc_now: lambda: now[0],
        expected_beats: lambda: HeartbeatLimits(poll=25, lost_after=75),
    }
    yield signed_in_app


As = Callable[[str], httpx.AsyncClient]


@pytest.fixture(scope="session")
def tokens(signed_in_app: FastAPI) -> dict[str, str]:
    """What Airflow gave each user for the password; it is in no table."""
    client = Client(signed_in_app)
    found = {}
    for name in _USERS:
        answer = client.post("/auth/token", json={"username": name, "password": f"pw-{name}"})
        found[name] = str(answer.json()["access_token"])
    return found


@pytest.fixture
def signed_in(app: FastAPI, tokens: dict[str, str]) -> As:
    """`signed_in("olga")`: a client with that user's token. Users: ada (admin), olga (op), una (user), vera (viewer)."""
    transport = httpx.ASGITransport(app)

    def client(name: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=transport,
            base_url="http://plane/tradewind/v1",
            headers={"Authorization": f"Bearer {tokens[name]}"} if name else {},
        )

    return client


class Rows:
    """Rows as other parts of the plane would write them."""

    def agent(self, name: str = "eu-1", **columns: Any) -> UUID:
        """A healthy agent that serves `default` with 4 slots; its agent id."""
        agent_id = columns.pop("agent_id", None) or uuid4()
        values: dict[str, Any] = {
            "id": uuid4(),
            "agent_id": agent_id,
            "instance": uuid4(),
            "name": name,
            "token_id": uuid4(),
            "components": ["worker"],
            "environments": [{"name": "default", "queues": ["default"], "slots": 4}],
            "bundles": [],
            "policy": "strict",
            "version": "0.1.0",
            "host": {"hostname": f"{name}.example"},
            "token_hash": uuid4().hex,
            "token_expires_at": NOW + timedelta(hours=1),
            "opened_at": NOW - timedelta(hours=1),
            "last_beat_at": NOW - timedelta(seconds=4),
            **columns,
        }
        with create_session() as db:
            db.add(AgentSession(**values))
        return agent_id

    def session_of(self, agent_id: UUID) -> UUID:
        with create_session() as db:
            return db.query(AgentSession.id).filter_by(agent_id=agent_id, ended_at=None).scalar()

    def token(self, name: str) -> UUID:
        token_id = uuid4()
        with create_session() as db:
            db.add(
                AgentToken(
                    id=token_id,
                    name=name,
                    token_hash=uuid4().hex,
                    shown="tw_agent_abcd…",
                    created_at=NOW,
                    created_by="ada",
                )
            )
        return token_id

    def attempt(self, state: str = "queued", **columns: Any) -> UUID:
        """Work of task etl.load on queue `default`; its attempt id."""
        attempt_id = uuid4()
        values: dict[str, Any] = {
            "id": attempt_id,
            "kind": "task",
            "subject_id": uuid4(),
            "dag_id": "etl",
            "run_id": "manual",
            "task_id": "load",
            "try_number": 1,
            "label": "etl.load [manual, try 1]",
            "site": "default",
            "queue": "default",
            "payload": "",
            "state": state,
            "epoch": 0 if state == "queued" else 1,
            "created_at": NOW - timedelta(seconds=30),
            **columns,
        }
        with create_session() as db:
            db.add(Attempt(**values))
        return attempt_id

    def bundle(self, name: str, **columns: Any) -> None:
        values: dict[str, Any] = {
            "name": name,
            "token_id": uuid4(),
            "agent_id": uuid4(),
            "agent_name": "eu-1",
            "mark": uuid4().hex,
            "claimed_at": NOW,
            **columns,
        }
        with create_session() as db:
            db.add(DagBundle(**values))

    def dag(self, dag_id: str) -> None:
        with create_session() as db:
            if db.get(DagBundleModel, "dags") is None:
                db.add(DagBundleModel(name="dags"))
                db.flush()
            db.add(DagModel(dag_id=dag_id, bundle_name="dags"))

    def read(self, statement: Any) -> list[Any]:
        with create_session() as db:
            session: Session = db
            found = list(session.scalars(statement))
            session.expunge_all()
            return found


@pytest.fixture
def rows(app: FastAPI) -> Rows:
    return Rows()
