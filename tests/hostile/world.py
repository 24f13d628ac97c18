"""The plane under attack: two sites with Dags, runs, values and agents, users of every role, and secrets that must not get out.

Requests go through Airflow's whole API server, with Tradewind's middlewares, as a client's would. The victim is site `eu`
and the plane itself; the attacker holds whatever an agent of site `us` holds.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import httpx
from airflow import settings as airflow_settings
from airflow.api_fastapi import app as airflow_app
from airflow.configuration import conf
from airflow.models.asset import (
    AssetActive,
    AssetAliasModel,
    AssetEvent,
    AssetModel,
    DagScheduleAssetAliasReference,
    DagScheduleAssetReference,
)
from airflow.models.connection import Connection
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.models.variable import Variable
from airflow.models.xcom import XComModel
from airflow.utils import db as airflow_db
from fastapi import FastAPI
from sqlalchemy import Table, insert, inspect, select, update

from tradewind_protocol import ids, paths, versions
from tradewind_provider import settings as provider_settings
from tradewind_provider.airflow import database
from tradewind_provider.airflow.database import create_session
from tradewind_provider.plugin import TradewindPlugin
from tradewind_provider.services import sessions, tokens, triggers
from tradewind_provider.store.base import Base
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData
from tradewind_provider.store.tables import AgentSession, AgentToken, Attempt

VICTIM, ATTACKER = "eu", "us"
AGENTS_HOST: Final = "eu.agents.example.com"
ROLES: Final = {"ada": "admin", "olga": "op", "una": "user", "vera": "viewer"}
COMPONENTS: Final = ["worker", "dag_processor", "triggerer"]

OPTIONS: Final = {
    ("core", "auth_manager"): "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
    ("core", "simple_auth_manager_users"): ",".join(f"{name}:{role}" for name, role in ROLES.items()),
    ("core", "simple_auth_manager_all_admins"): "False",
    ("api_auth", "jwt_secret"): "s" * 64,
    ("tradewind", "agent_hosts"): "*.agents.example.com",
    ("tradewind", "failures_per_minute"): "0",
    ("tradewind", "sweep_seconds"): "3600",
    ("tradewind", "poll_seconds"): "3600",
}  # fmt: skip


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


def headers(bearer: str = "", attempt: str = "", **more: str) -> dict[str, str]:
    """Those of an agent's request."""
    found = {versions.HEADER: str(versions.PROTOCOL), "content-type": "application/json", **more}
    if bearer:
        found["authorization"] = f"Bearer {bearer}"
    if attempt:
        found[paths.ATTEMPT_HEADER] = attempt
    return found


@dataclass
class Site:
    """What belongs to one site, and what its agent holds."""

    name: str
    token: str = field(default="", repr=False)
    token_id: UUID = field(default_factory=uuid4)
    session: str = field(default="", repr=False)
    session_id: UUID = field(default_factory=uuid4)
    agent_id: UUID = field(default_factory=uuid4)
    agent_key: str = field(default_factory=lambda: uuid4().hex, repr=False)
    run_id: str = "r1"
    tasks: dict[str, UUID] = field(default_factory=dict)  # by state
    attempts: dict[str, str] = field(default_factory=dict)  # kind or state → "<id>:<epoch>"
    trigger_id: int = 0

    @property
    def bundle(self) -> str:
        return f"{self.name}-dags"

    @property
    def dag(self) -> str:
        return f"{self.name}_dag"

    @property
    def asset(self) -> str:
        return f"{self.name}-asset"

    @property
    def alias(self) -> str:
        return f"{self.name}-alias"

    def names(self) -> dict[str, str]:
        """What a route's parameters are called, and this site's value for each."""
        return {
            "task_instance_id": str(self.tasks["running"]),
            "dag_id": self.dag,
            "run_id": self.run_id,
            "task_id": "running",
            "key": "secret",
            "offset": "0",
            "connection_id": "plane_conn",
            "variable_key": "plane_var",
            "connection_test_id": str(uuid4()),
        }


class World:
    """The plane, its two sites, and what tells whether an attempt got through."""

    def __init__(self, app: FastAPI, home: Path) -> None:
        self.app = app
        self.home = home
        self.victim = Site(VICTIM)
        self.attacker = Site(ATTACKER)
        self.canaries: dict[str, str] = {}
        self.users: dict[str, str] = {}
        self.other: dict[str, str] = {}  # credentials that are good for nothing
        self.log = _Said()
        self._before: dict[str, str] = {}
        self._commits = _Commits()

    # ---- asking

    async def ask(
        self,
        method: str,
        path: str,
        *,
        given: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        json_body: Any = None,
        content: bytes | AsyncIterator[bytes] | None = None,
        host: str = "plane",
        params: Any = None,
    ) -> httpx.Response:
        """One request, as a client on the network would send it. `path` from the root."""
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            if json_body is not None:
                content = json.dumps(json_body, default=str).encode()
            request = client.build_request(
                method, path, headers=list(dict(given).items()), content=content, params=params
            )
            return await client.send(request)

    async def raw(
        self,
        method: str,
        path: str,
        given: Iterable[tuple[str, str]],
        *,
        raw_path: bytes | None = None,
        body: bytes = b"",
        query: bytes = b"",
    ) -> httpx.Response:
        """One request as a web server would hand it on, with just this path and these headers."""
        answer: dict[str, Any] = {"status": 0, "headers": []}
        parts: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                answer.update(message)
            else:
                parts.append(message.get("body", b""))

        await self.app(
            {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": method,
                "scheme": "http",
                "path": path,
                "raw_path": raw_path or path.encode("utf-8", "surrogatepass"),
                "root_path": "",
                "query_string": query,
                "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in given],
                "client": ("127.0.0.1", 1),
                "server": ("plane", 80),
                "state": {},
            },
            receive,
            send,
        )
        shown = [
            one for one in answer["headers"] if one[0].lower() not in (b"content-encoding", b"content-length")
        ]
        return httpx.Response(answer["status"], headers=shown, content=b"".join(parts))

    async def store_values(self) -> None:
        """The victim's task keeps something beside its asset."""
        of = self.victim
        answer = await self.ask(
            "PUT",
            f"{paths.PREFIX}{paths.EXECUTION}/store/asset/by-name/value",
            given=headers(of.session, of.attempts["running"]),
            params={"name": of.asset, "key": "cursor"},
            json_body={"value": f"s3://bucket/{self.canaries['note']}"},
        )
        assert answer.status_code < 300, answer.text
        self.changed()

    async def attackers_session_lives(self) -> bool:
        """Without it, attempts would be held off by its end and by nothing else."""
        given = headers(self.attacker.session, self.attacker.attempts["running"])
        own = f"{paths.PREFIX}{paths.EXECUTION}/dag-runs/{self.attacker.dag}/r1/state"
        return (await self.ask("GET", own, given=given)).status_code == 200

    def close(self) -> None:
        self._commits.close()

    # ---- what must not happen

    def changed(self) -> list[str]:
        """Which of the victim's rows and the plane's own differ from what they were at the last look.

        The rows are read only if something was committed since: most attempts are refused before they write.
        """
        if not self._commits.since_last_look():
            return []
        now = _fingerprints(self)
        found = sorted(
            name for name in now.keys() | self._before.keys() if now.get(name) != self._before.get(name)
        )
        self._before = now
        return found

    def leaked(self, text: str) -> list[str]:
        """Names of the secrets that are in a text."""
        return [name for name, value in self.canaries.items() if value in text]

    def credentials(self) -> list[str]:
        """Every credential that is good for something, or was sent in place of one."""
        sites = [
            one for site in (self.victim, self.attacker) for one in (site.token, site.session, site.agent_key)
        ]
        return [one for one in (*sites, *self.other.values()) if len(one) > 20]


class _Commits:
    """Whether anything was committed to the database since the last look.

    SQLite counts the commits of other connections for a connection that writes nothing itself (PRAGMA data_version).
    """

    def __init__(self) -> None:
        engine = airflow_settings.engine
        assert engine is not None
        self._watch = (
            sqlite3.connect(str(engine.url.database), check_same_thread=False)
            if engine.dialect.name == "sqlite"
            else None
        )
        self._seen: int | None = None

    def since_last_look(self) -> bool:
        """True also at the first look, and always where the database is not SQLite."""
        if self._watch is None:
            return True
        (version,) = self._watch.execute("PRAGMA data_version").fetchone()
        before, self._seen = self._seen, version
        return bool(before != version)

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()


class _Said(logging.Handler):
    """What was logged since the last look."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text += f" {record.exc_info[1]!r}"
        self.lines.append(text)

    def take(self) -> str:
        found, self.lines = "\n".join(self.lines), []
        return found


@contextmanager
def configured(options: Mapping[tuple[str, str], str]) -> Iterator[None]:
    """Airflow's configuration with these options; as it was, afterwards."""
    before = {name: conf.get(*name, fallback=None) for name in options}
    for (section, key), value in options.items():
        conf.set(section, key, value)
    provider_settings.current.cache_clear()
    try:
        yield
    finally:
        for (section, key), old in before.items():
            conf.remove_option(section, key) if old is None else conf.set(section, key, old)
        provider_settings.current.cache_clear()


@asynccontextmanager
async def plane_of_two_sites(home: Path) -> AsyncIterator[World]:
    """Make the database, the API server and everything in it; run the server."""
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({name: f"pw-{name}" for name in ROLES}))
    options = {**OPTIONS, ("core", "simple_auth_manager_passwords_file"): str(passwords)}
    with configured(options):
        _database()
        app = _server()
        world = World(app, home)
        async with app.router.lifespan_context(app):
            _fill(world)
            await _sign_in(world)
            await _open_sessions(world)
            _work(world)
            # the routes of the Execution API take seconds to make, longer than a token for them is good on a busy machine
            await world.ask("GET", "/execution/health")
            await world.store_values()
            logging.getLogger().addHandler(world.log)
            try:
                await world.ask(
                    "GET",
                    paths.PREFIX + paths.EXECUTION + "/health",
                    given=headers(world.attacker.session, "worker"),
                )
                world.changed()
                world.log.take()
                yield world
            finally:
                logging.getLogger().removeHandler(world.log)
                world.close()


def _server() -> FastAPI:
    """As `airflow api-server` makes it, with a plugin of its own and no other's."""
    from airflow import plugins_manager

    plugin = TradewindPlugin()
    before = plugins_manager.get_fastapi_plugins
    made = ([*plugin.fastapi_apps], [*plugin.fastapi_root_middlewares])
    plugins_manager.get_fastapi_plugins = lambda: made  # type: ignore[assignment]
    try:
        return airflow_app.create_app()
    finally:
        plugins_manager.get_fastapi_plugins = before


def _database() -> None:
    assert airflow_settings.engine is not None
    if not inspect(airflow_settings.engine).has_table("dag"):
        airflow_db.initdb()
    Base.metadata.create_all(airflow_settings.engine)
    with create_session() as db:
        for table in reversed(Base.metadata.sorted_tables):
            db.execute(table.delete())
        for name in _EMPTIED:
            db.execute(_table(name).delete())


_EMPTIED: Final = (
    "xcom", "task_instance", "dag_run", "serialized_dag", "dag_code", "dag_version", "trigger", "asset_active",
    "dag_schedule_asset_reference", "dag_schedule_asset_alias_reference", "asset_alias_asset_event", "asset_alias_asset", "asset_event",
    "asset_alias", "asset",
    "dag", "dag_bundle", "variable", "connection",
)  # fmt: skip


def _table(name: str) -> Table:
    from airflow.models.base import Base as AirflowBase

    return AirflowBase.metadata.tables[name]


def _fill(world: World) -> None:
    """Tokens, Dags, runs, values: as the rest of the plane would have written them."""
    world.canaries = {
        name: f"canary-{name}-{uuid4().hex}"
        for name in ("conf", "xcom", "connection", "variable", "asset", "event", "note")
    }
    now = utc_now()
    with create_session() as db:
        for site in (world.victim, world.attacker):
            made = tokens.create(
                db,
                name=f"{site.name}-token",
                site=site.name,
                expires_in_days=None,
                created_by="ada",
                now=now,
                limit=50,
            )
            site.token, site.token_id = made.secret, made.token.id
        for what in ("deleted", "expired"):
            made = tokens.create(
                db, name=what, site=ATTACKER, expires_in_days=None, created_by="ada", now=now, limit=50
            )
            world.other[what] = made.secret
            row = db.get(AgentToken, made.token.id)
            assert row is not None
            if what == "deleted":
                tokens.delete(db, row.id, deleted_by="ada", now=now)
            else:
                row.expires_at = now - timedelta(days=1)
        db.add(Variable(key="plane_var", val=world.canaries["variable"]))
        db.add(
            Connection(
                conn_id="plane_conn", conn_type="http", password=world.canaries["connection"], login="ada"
            )
        )
    for bundle, dag_id, site in (
        (world.victim.bundle, world.victim.dag, world.victim),
        (world.attacker.bundle, world.attacker.dag, world.attacker),
        ("plane-dags", "plane_dag", None),
    ):
        with create_session() as db:
            db.add(DagBundleModel(name=bundle))
            db.flush()
            db.add(
                DagModel(
                    dag_id=dag_id,
                    bundle_name=bundle,
                    fileloc="/x.py",
                    relative_fileloc="x.py",
                    is_stale=False,
                )
            )
            db.flush()
            version = DagVersion(dag_id=dag_id, version_number=1, bundle_name=bundle)
            run = DagRun(
                dag_id=dag_id,
                run_id="r1",
                run_type="manual",
                run_after=now,
                logical_date=now,
                state="running",
            )
            secret = site is world.victim
            run.conf = {"password": world.canaries["conf"]} if secret else {}
            db.add_all([version, run])
            db.flush()
            for state in ("running", "queued", "deferred", "success"):
                ti_id = uuid4()
                db.execute(
                    insert(_table("task_instance")).values(**_task_instance(ti_id, dag_id, state, version.id))
                )
                if site is not None:
                    site.tasks[state] = ti_id
            value = world.canaries["xcom"] if secret else "own"
            XComModel.set(
                "secret",
                f"s3://bucket/{value}",
                dag_id=dag_id,
                task_id="running",
                run_id="r1",
                serialize=True,
                session=db,
            )
            if site is not None:
                asset = AssetModel(name=site.asset, uri=f"s3://bucket/{site.asset}", group="asset")
                asset.extra = {"note": world.canaries["asset"]} if secret else {}
                db.add_all([asset, AssetActive.for_asset(asset)])
                db.flush()
                db.add(DagScheduleAssetReference(asset_id=asset.id, dag_id=dag_id))
                row = {
                    "token_id": site.token_id,
                    "agent_id": site.agent_id,
                    "agent_name": f"{site.name}-1",
                    "mark": "m",
                }
                db.add(DagBundle(name=bundle, site=site.name, claimed_at=now, **row))
    with create_session() as db:
        _event(db, world)


def _event(db: Any, world: World) -> None:
    """An event of the victim's asset, by an alias of the victim, and by one of the attacker's that stands for that asset, too."""
    asset = db.scalar(select(AssetModel).where(AssetModel.name == world.victim.asset))
    event = AssetEvent(
        asset_id=asset.id, extra={"rows": world.canaries["event"]}, source_dag_id=world.victim.dag
    )
    db.add(event)
    for site in (world.victim, world.attacker):
        alias = AssetAliasModel(name=site.alias, group="asset")
        alias.assets.append(asset)
        alias.asset_events.append(event)
        db.add(alias)
        db.flush()
        db.add(DagScheduleAssetAliasReference(alias_id=alias.id, dag_id=site.dag))


def _task_instance(ti_id: UUID, dag_id: str, state: str, version: UUID) -> dict[str, Any]:
    return {
        "id": ti_id, "task_id": state, "dag_id": dag_id, "run_id": "r1", "map_index": -1, "try_number": 1, "max_tries": 1,
        "state": state, "pool": "default_pool", "pool_slots": 1, "queue": "default", "hostname": "", "operator": "Op",
        "dag_version_id": version, "span_status": "not_started", "priority_weight": 1,
    }  # fmt: skip


async def _sign_in(world: World) -> None:
    for name in ROLES:
        answer = await world.ask(
            "POST",
            "/auth/token",
            given={"content-type": "application/json"},
            json_body={"username": name, "password": f"pw-{name}"},
        )
        world.users[name] = answer.json()["access_token"]


async def _open_sessions(world: World) -> None:
    for site in (world.victim, world.attacker):
        answer = await world.ask(
            "POST", paths.PREFIX + paths.SESSIONS, given=headers(site.token), json_body=opening(site)
        )
        assert answer.status_code == 200, answer.text
        site.session, site.session_id = answer.json()["session_token"], UUID(answer.json()["session_id"])
    ended = Site(ATTACKER, token=world.attacker.token)
    answer = await world.ask(
        "POST", paths.PREFIX + paths.SESSIONS, given=headers(ended.token), json_body=opening(ended)
    )
    world.other["ended session"] = answer.json()["session_token"]
    assert (
        await world.ask("DELETE", paths.PREFIX + paths.SESSIONS, given=headers(world.other["ended session"]))
    ).status_code == 204
    world.other["never made"] = ids.new_secret(ids.AGENT_TOKEN_PREFIX)
    world.other["another deployment's"] = ids.new_secret(ids.AGENT_TOKEN_PREFIX, mark=ids.new_mark())
    world.other["session never made"] = ids.new_secret(ids.SESSION_TOKEN_PREFIX)
    world.other["local secret"] = ids.new_secret(ids.LOCAL_SECRET_PREFIX)


def opening(site: Site, **more: Any) -> dict[str, Any]:
    """The body that opens a session of the site's agent."""
    return {
        "agent_id": site.agent_id,
        "instance": uuid4(),
        "agent_key": site.agent_key,
        "name": f"{site.name}-1",
        "components": COMPONENTS,
        "environments": [{"name": "main", "queues": ["default"], "slots": 4}],
        "bundles": [site.bundle],
        "trigger_capacity": 100,
        **more,
    }


def _work(world: World) -> None:
    """Attempts that the sites hold, and triggers that they run."""
    for site in (world.victim, world.attacker):
        for kind, state, subject in (
            ("task", "running", site.tasks["running"]),
            ("callback", "running", uuid4()),
            ("connection_test", "running", uuid4()),
            ("task", "offered", site.tasks["queued"]),
            ("task", "ended", site.tasks["success"]),
        ):
            attempt_id = uuid4()
            with create_session() as db:
                db.add(
                    Attempt(
                        id=attempt_id, kind=kind, subject_id=subject, label=f"{site.dag}.running", queue="default", payload=database.encrypt("{}"),
                        state="finished" if state == "ended" else state, epoch=3, session_id=site.session_id, site=site.name,
                        bundle=site.bundle, created_at=utc_now(), granted_at=None if state == "offered" else utc_now(),
                        offered_until=utc_now() + timedelta(days=1) if state == "offered" else None,
                        ended_at=utc_now() if state == "ended" else None, dag_id=site.dag, run_id="r1", task_id=state,
                    )
                )  # fmt: skip
            site.attempts[state if kind == "task" else kind] = f"{attempt_id}:3"
        with create_session() as db:
            agent = sessions.authenticate(db, site.session, utc_now())
            trigger = Trigger(classpath="site.Watch", kwargs={})
            trigger.triggerer_id = triggers.job_of(db, agent, now=utc_now())
            db.add(trigger)
            db.flush()
            site.trigger_id = trigger.id
            db.execute(
                update(TaskInstance)
                .where(TaskInstance.id == site.tasks["deferred"])
                .values(trigger_id=trigger.id)
            )
    with create_session() as db:
        db.add(
            Attempt(
                id=uuid4(), kind="callback", subject_id=uuid4(), label="waits", queue="default", payload="", state="queued",
                epoch=0, site=VICTIM, bundle=world.victim.bundle, created_at=utc_now(),
            )
        )  # fmt: skip


_MOVING: Final = frozenset(
    {
        "last_beat_at",
        "room",
        "address",
        "last_used_at",
        "updated_at",
        "last_heartbeat_at",
        "noted_state",
        "missing_since",
        "offered_until",
    }
)
"""Columns that the victim's own life changes."""


def _fingerprints(world: World) -> dict[str, str]:
    """A digest of every row that no agent of the attacker's site may change or add to."""
    foreign = [world.victim.dag, "plane_dag"]
    mine = [world.attacker.bundle, "attackers"]
    wanted: list[tuple[str, Any]] = [
        (name, _table(name).c.dag_id.in_(foreign)) for name in ("task_instance", "dag_run", "xcom", "dag_version", "serialized_dag", "rendered_task_instance_fields")
    ]  # fmt: skip
    wanted += [(name, None) for name in ("variable", "connection", "slot_pool")]
    wanted.append(("dag_bundle", _table("dag_bundle").c.name.not_in(mine)))
    wanted.append(("dag", _table("dag").c.dag_id.in_(foreign)))
    wanted.append(("trigger", _table("trigger").c.id == world.victim.trigger_id))
    wanted.append(("asset", _table("asset").c.name == world.victim.asset))
    found = {name: _digest(_table(name), where) for name, where in wanted if name in _tables()}
    found["tokens"] = _digest(AgentToken.__table__, None)
    found["victim's session"] = _digest(AgentSession.__table__, AgentSession.site == VICTIM)
    found["victim's attempts"] = _digest(Attempt.__table__, Attempt.site == VICTIM)
    own = [UUID(one.partition(":")[0]) for one in world.attacker.attempts.values()]
    found["attempts of its own"] = _digest(Attempt.__table__, Attempt.id.in_(own))
    found["bundles of sites"] = _digest(DagBundle.__table__, DagBundle.name.not_in(mine))
    return found


def _tables() -> Mapping[str, Any]:
    from airflow.models.base import Base as AirflowBase

    return AirflowBase.metadata.tables


def _digest(table: Any, where: Any) -> str:
    columns = [column for column in table.c if column.name not in _MOVING]
    statement = select(*columns) if where is None else select(*columns).where(where)
    with create_session() as db:
        rows = sorted(repr(tuple(row)) for row in db.execute(statement))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def session_rows(site: Site) -> int:
    """Characters of the largest live session of a site in its table."""
    with create_session() as db:
        rows = db.execute(
            select(AgentSession.__table__).where(
                AgentSession.site == site.name, AgentSession.ended_at.is_(None)
            )
        )
        return max((len(repr(tuple(row))) for row in rows), default=0)


async def within(seconds: float, coroutine: Any) -> Any:
    """The result; raises TimeoutError."""
    return await asyncio.wait_for(coroutine, seconds)
