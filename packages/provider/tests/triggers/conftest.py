"""A plane on a migrated Airflow database with real triggers in it, and triggerer hosts that ask it over ASGI."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from airflow import settings as airflow_settings
from airflow.jobs.job import Job
from airflow.models.asset import (
    AssetActive,
    AssetEvent,
    AssetModel,
    AssetWatcherModel,
    DagScheduleAssetReference,
    TaskOutletAssetReference,
)
from airflow.models.callback import Callback, TriggererCallback
from airflow.models.dag import DagModel
from airflow.models.dag_version import DagVersion
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.sdk.definitions.callback import AsyncCallback
from sqlalchemy import delete, insert, select, update

from tradewind_protocol import ids, triggers
from tradewind_protocol.sessions import Cadence
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.agent.app import create_app
from tradewind_provider.composition import compose
from tradewind_provider.domain.agents import SessionEnd
from tradewind_provider.services import session_termination
from tradewind_provider.services.credential_hashes import hashed
from tradewind_provider.settings import Settings
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData
from tradewind_provider.store.tables import AgentSession, AgentToken
from tradewind_provider.store.trigger_tables import TriggerSource

MOMENT = "airflow.providers.standard.triggers.temporal.DateTimeTrigger"


@dataclass
class Clock:
    """The plane's, moved by hand."""

    at: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    def __call__(self) -> datetime:
        return self.at

    def pass_by(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Host:
    """A triggerer host of one agent: what it has and what it asks."""

    http: httpx.AsyncClient
    token: str
    session_id: UUID
    source: UUID = field(default_factory=uuid4)
    running: set[int] = field(default_factory=set)
    seq: int = 0

    async def post(self, sync: triggers.Sync) -> httpx.Response:
        return await self.http.post(
            "/v1" + triggers.SYNC,  # Airflow mounts the application at the prefix before that
            content=sync.model_dump_json(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )

    def says(self, *reports: triggers.Report, hold: float | None = 0, **more: Any) -> triggers.Sync:
        return triggers.Sync(
            source=self.source, running=triggers.pack_ids(self.running), reports=reports, hold=hold, **more
        )

    async def sync(self, *reports: triggers.Report, **more: Any) -> triggers.SyncAnswer:
        """Ask, and do as told."""
        response = await self.post(self.says(*reports, **more))
        assert response.status_code == 200, response.text
        answer = triggers.SyncAnswer.model_validate_json(response.content)
        self.running |= {one.id for one in answer.create}
        self.running -= {*answer.cancel, *answer.moved}
        return answer

    def fires(self, trigger_id: int, payload: Any = None, **more: Any) -> triggers.Report:
        self.seq += 1
        event = triggers.Event(payload=payload, **more)
        return triggers.Report(seq=self.seq, trigger_id=trigger_id, event=event)

    def fails(self, trigger_id: int, *lines: str, rule: str = "") -> triggers.Report:
        self.seq += 1
        failure = triggers.Failure(traceback=lines or None, rule=rule)
        return triggers.Report(seq=self.seq, trigger_id=trigger_id, failure=failure)


class Plane:
    """What the test sees of the plane, and what it does to its rows."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.settings = Settings(cadence=Cadence(poll=3.0, lost_after=75.0))
        self.restart()

    def restart(self) -> None:
        """Another API server, on the same database."""
        self.parts = compose(self.settings, clock=self.clock)
        app = create_app(self.parts)
        self.hub = app.state.plane.hub
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://plane")

    # ---- agents

    def agent(
        self,
        name: str = "eu-1",
        *,
        agent_id: UUID | None = None,
        components: tuple[str, ...] = ("triggerer",),
        queues: tuple[str, ...] = ("default",),
        capacity: int = 1000,
        policy: str = "open",
        site: str = "default",
        bundles: tuple[str, ...] = ("dags",),
    ) -> Host:
        """A live session and the triggerer host that goes with it."""
        token, token_id, session_id = ids.new_secret(ids.SESSION_TOKEN_PREFIX), uuid4(), uuid4()
        now = self.clock()
        with create_session() as db:
            db.add(
                AgentToken(
                    id=token_id,
                    name="t",
                    site=site,
                    token_hash=uuid4().hex,
                    shown="tw_agent_…",
                    created_at=now,
                    created_by="ada",
                )
            )
            db.add(
                AgentSession(
                    id=session_id,
                    agent_id=agent_id or uuid4(),
                    instance=uuid4(),
                    name=name,
                    token_id=token_id,
                    components=list(components),
                    environments=[{"name": "main", "queues": list(queues), "slots": 1}],
                    site=site,
                    bundles=list(bundles),
                    trigger_capacity=capacity,
                    policy=policy,
                    host={},
                    token_hash=hashed(token),
                    token_expires_at=now + timedelta(days=30),
                    opened_at=now,
                    last_beat_at=now,
                )
            )
        return Host(self.http, token, session_id)

    def ends(self, host: Host, how: SessionEnd = SessionEnd.LOST) -> None:
        """The plane ends a session, as its sweep does."""
        with create_session() as db:
            session = db.get(AgentSession, host.session_id)
            assert session is not None
            assert session_termination.end(db, session, how=how, reason="test", now=self.clock())
        self.parts.sessions.forget()

    def jobs(self) -> list[Any]:
        with create_session() as db:
            return list(db.execute(select(Job.__table__).where(Job.job_type == "TriggererJob")))

    # ---- what waits for a trigger

    def task_instance(
        self, *, dag_id: str = "etl", dag_version_id: UUID | None = None, **columns: Any
    ) -> UUID:
        ti_id, run_id = uuid4(), f"manual__{uuid4()}"
        with create_session() as db:
            own_dag(db, dag_id)
            if dag_version_id is None:
                version = DagVersion(
                    dag_id=dag_id, version_number=uuid4().int % 1_000_000_000, bundle_name="dags"
                )
                db.add(version)
                db.flush()
                dag_version_id = version.id
            db.add(
                DagRun(
                    dag_id=dag_id,
                    run_id=run_id,
                    run_type="manual",
                    run_after=self.clock(),
                    logical_date=datetime.now(timezone.utc),
                    state="running",
                )
            )
            db.flush()
            row = {
                "id": ti_id,
                "task_id": "waits",
                "dag_id": dag_id,
                "run_id": run_id,
                "map_index": -1,
                "try_number": 1,
                "max_tries": 1,
                "state": "deferred",
                "pool": "default_pool",
                "pool_slots": 1,
                "queue": "default",
                "hostname": "",
                "operator": "Waits",
                "dag_version_id": dag_version_id,
                "span_status": "not_started",
                "priority_weight": 1,
                **columns,
            }
            db.execute(insert(TaskInstance.__table__).values(**row))
        return ti_id

    def deferral(
        self, *, arguments: dict[str, Any] | None = None, queue: str | None = None, **columns: Any
    ) -> tuple[int, UUID]:
        """A task that deferred: its trigger and its task instance."""
        with create_session() as db:
            trigger = Trigger(classpath=MOMENT, kwargs=arguments or {"moment": "soon"}, queue=queue)
            db.add(trigger)
            db.flush()
            trigger_id = trigger.id
        return trigger_id, self.task_instance(trigger_id=trigger_id, next_method="resume", **columns)

    def watched_asset(self, name: str = "orders") -> int:
        """An asset with a watcher: its trigger."""
        with create_session() as db:
            asset = AssetModel(name=name, uri=f"s3://b/{name}", group="asset")
            trigger = Trigger(classpath="site.Watch", kwargs={"topic": name})
            db.add_all([asset, trigger])
            db.flush()
            db.add(AssetActive.for_asset(asset))
            db.add(AssetWatcherModel(name="w", asset_id=asset.id, trigger_id=trigger.id))
            own_dag(db, "etl")
            db.add(DagScheduleAssetReference(asset_id=asset.id, dag_id="etl"))
            return trigger.id

    def asset_events(self) -> list[Any]:
        with create_session() as db:
            return [one.extra["payload"] for one in db.scalars(select(AssetEvent).order_by(AssetEvent.id))]

    def deadline_callback(self) -> tuple[int, UUID]:
        """A missed deadline whose callback runs on a triggerer: its trigger and the callback."""
        with create_session() as db:
            callback = TriggererCallback(
                AsyncCallback("site.late", kwargs={"who": "ada"}), priority_weight=5, prefix="deadline_alerts"
            )
            callback.bundle_name = "dags"
            db.add(callback)
            callback.queue(session=db)
            db.flush()
            return callback.trigger_id, callback.id

    def ti(self, ti_id: UUID) -> Any:
        with create_session() as db:
            return db.execute(select(TaskInstance.__table__).where(TaskInstance.id == ti_id)).one()

    def set_task(self, ti_id: UUID, **columns: Any) -> None:
        with create_session() as db:
            db.execute(update(TaskInstance.__table__).where(TaskInstance.id == ti_id).values(**columns))

    def owner(self, trigger_id: int) -> int | None:
        with create_session() as db:
            return db.scalar(select(Trigger.triggerer_id).where(Trigger.id == trigger_id))

    def exists(self, trigger_id: int) -> bool:
        with create_session() as db:
            return db.scalar(select(Trigger.id).where(Trigger.id == trigger_id)) is not None

    def many(self, count: int) -> set[int]:
        """So many deferred mapped tasks of one run, in few statements."""
        ti_id = self.task_instance(task_id="mapped", state="success")
        one = self.ti(ti_id)
        with create_session() as db:
            arguments = Trigger.encrypt_kwargs({"moment": "later"})
            first = (db.scalar(select(Trigger.id).order_by(Trigger.id.desc()).limit(1)) or 0) + 1
            numbers = range(first, first + count)
            db.execute(
                insert(Trigger.__table__),
                [
                    {"id": n, "classpath": MOMENT, "kwargs": arguments, "created_date": self.clock()}
                    for n in numbers
                ],
            )
            row = {**one._mapping, "state": "deferred"}
            db.execute(
                insert(TaskInstance.__table__),
                [{**row, "id": uuid4(), "map_index": n - first, "trigger_id": n} for n in numbers],
            )
        return set(numbers)


@pytest.fixture
async def plane(database: None) -> AsyncIterator[Plane]:
    _clean()
    found = Plane(Clock())
    yield found
    await found.http.aclose()
    _clean()


def own_dag(db: Any, dag_id: str, *, site: str = "default", bundle: str = "dags") -> None:
    """A Dag in a bundle of that site."""
    if db.get(DagBundleModel, bundle) is None:
        db.add(DagBundleModel(name=bundle))
    if db.get(DagBundle, bundle) is None:
        owner = {"token_id": uuid4(), "agent_id": uuid4(), "agent_name": "eu-1", "mark": "m"}
        db.add(DagBundle(name=bundle, site=site, claimed_at=datetime.now(timezone.utc), **owner))
    db.flush()
    if db.get(DagModel, dag_id) is None:
        db.add(DagModel(dag_id=dag_id, bundle_name=bundle, fileloc="/x.py", relative_fileloc="x.py"))
        db.flush()


def _clean() -> None:
    with create_session() as db:
        db.execute(delete(DagScheduleAssetReference))
        db.execute(delete(TaskOutletAssetReference))
        db.execute(delete(DagBundle))
        db.execute(delete(AssetEvent))
        db.execute(delete(AssetWatcherModel))
        db.execute(delete(AssetActive))
        db.execute(delete(AssetModel))
        db.execute(delete(Callback))
        db.execute(delete(TaskInstance).where(TaskInstance.dag_id.in_(("etl", "starts"))))
        db.execute(delete(Trigger))
        db.execute(delete(Job).where(Job.job_type == "TriggererJob"))
        db.execute(delete(TriggerSource))


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """SQL that ran, one entry each."""
    from sqlalchemy import event

    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    event.listen(airflow_settings.engine, "before_cursor_execute", note)
    yield seen
    event.remove(airflow_settings.engine, "before_cursor_execute", note)


def arguments_of(create: triggers.CreateTrigger) -> Any:
    return json.loads(create.arguments)
