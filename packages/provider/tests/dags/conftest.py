"""A plane's real tables, sites that claim bundles of it, and Dags serialized by Airflow's own dag processor code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from airflow import settings as airflow_settings
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.dag_processing.processor import _serialize_dags
from airflow.jobs.job import Job
from airflow.models.asset import AssetModel
from airflow.models.callback import Callback
from airflow.models.dag import DagModel
from airflow.models.dagbag import DagPriorityParsingRequest
from airflow.models.dagbundle import DagBundleModel
from airflow.models.errors import ParseImportError
from sqlalchemy import delete

from tradewind_agent.state.site_key import SiteKey
from tradewind_protocol import boundary, ids
from tradewind_protocol import dags as wire
from tradewind_provider import notifications
from tradewind_provider.airflow import dag_requests
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import sessions
from tradewind_provider.services.agents import agent_of
from tradewind_provider.services.dags import bundles, parsed_reports, reports, watches
from tradewind_provider.store.dag_tables import DagBundle, DagCallbackGrant, DagFile
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData
from tradewind_provider.store.tables import AgentSession, AgentToken, Event


@dataclass
class Clock:
    """A wall clock that moves when told. It starts at the real hour, which Airflow's own code reads for itself."""

    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


@pytest.fixture(autouse=True)
def _empty(database: None) -> Iterator[None]:
    with create_session() as db:
        for table in (
            DagBundle, DagFile, DagCallbackGrant, AgentSession, AgentToken, Event, DagPriorityParsingRequest,
            ParseImportError, Callback, AssetModel, DagModel, DagBundleModel,
        ):  # fmt: skip
            db.execute(delete(table))
        db.execute(delete(Job).where(Job.job_type == "DagProcessorJob"))
    dag_requests.install(notifications.dags_changed)
    yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Site:
    """An agent with a live session and a dag processor, as the plane sees it."""

    def __init__(
        self,
        clock: Clock,
        name: str = "eu-1",
        *,
        site: str = "default",
        token_id: UUID | None = None,
        policy: str = "strict",
    ) -> None:
        self.clock = clock
        self.policy = policy
        self.name = name
        self.token_id = token_id or uuid4()
        self.agent_id = uuid4()
        self.session_id = uuid4()
        self.instance = uuid4()
        self.secret = ids.new_secret(ids.SESSION_TOKEN_PREFIX)
        self.marks: dict[str, str] = {}
        with create_session() as db:
            if db.get(AgentToken, self.token_id) is None:
                db.add(
                    AgentToken(
                        id=self.token_id,
                        name=name,
                        site=site,
                        token_hash=uuid4().hex,
                        shown="tw_agent_abcd…",
                        created_at=clock(),
                        created_by="ada",
                    )  # fmt: skip
                )
            db.add(
                AgentSession(
                    id=self.session_id,
                    agent_id=self.agent_id,
                    instance=uuid4(),
                    name=name,
                    token_id=self.token_id,
                    site=site,
                    components=["dag_processor"],
                    environments=[],
                    bundles=[],
                    policy=policy,
                    host={},
                    room=[],
                    findings=[],
                    token_hash=sessions.hashed(self.secret),
                    opened_at=clock(),
                    token_expires_at=clock() + timedelta(hours=9),
                )  # fmt: skip
            )
        with create_session() as db:
            row = db.get(AgentSession, self.session_id)
            assert row is not None
            self.agent = agent_of(row)

    def claim(self, *names: str, kept: tuple[str, ...] = (), key: str = "", **extra: Any) -> wire.Claimed:
        asked = wire.Claim(
            instance=self.instance,
            kept=kept,
            key=key,
            bundles=tuple(wire.BundleClaim(name=name, **extra) for name in names),
        )
        with create_session() as db:
            told = bundles.claim(db, self.agent, asked, now=self.clock())
        self.marks = {one.name: one.mark for one in told.bundles if one.role is not wire.Role.REFUSED}
        return told

    def report(self, bundle: str = "main", **parts: Any) -> wire.Reported:
        sent = wire.Report(instance=self.instance, bundle=bundle, **parts)
        return self.send(sent.model_dump_json().encode())

    def send(self, body: bytes) -> wire.Reported:
        told = reports.store(create_session, self.agent, parsed_reports.read(body), clock=self.clock)
        self.marks[json.loads(body)["bundle"]] = told.mark
        return told

    def watch(self, *, first: bool = True, **parts: Any) -> wire.News:
        asked = wire.Watch(instance=self.instance, marks=self.marks, **parts)
        with create_session() as db:
            granted = watches.take_in(db, self.agent, asked, now=self.clock())
        with create_session() as db:
            found = watches.look(db, self.agent, asked, first=first, now=self.clock())
        return found.model_copy(update={"granted": granted})

    def ends(self) -> None:
        with create_session() as db:
            row = db.get(AgentSession, self.session_id)
            assert row is not None
            row.ended_at = self.clock()
            row.ended_how = "lost"
            bundles.release_bundles(db, self.session_id, self.clock())


@pytest.fixture
def site(clock: Clock) -> Site:
    return Site(clock)


Parsed = Callable[..., wire.FileResult]


@pytest.fixture
def parsed(tmp_path: Path) -> Parsed:
    """Write a Dag file, parse it as a dag processor does, and make its result."""

    def parse(name: str, text: str, *, bundle: str = "main", **changes: Any) -> wire.FileResult:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return parse_file(tmp_path, file, bundle=bundle, **changes)

    return parse


def parse_file(
    place: Path, file: Path, *, bundle: str = "main", reduce: bool = True, **changes: Any
) -> wire.FileResult:
    """The result of parsing a real file, its Dags as they leave a strict site, or an open one."""
    bag = BundleDagBag(dag_folder=str(file), bundle_path=place, bundle_name=bundle, load_op_links=False)
    serialized, errors = _serialize_dags(bag, airflow_settings.log)  # type: ignore[arg-type]
    read = [json.loads(json.dumps(one.data)) for one in serialized]
    key = SiteKey(b"the site's")
    data = tuple(boundary.reduced(one, key.digest, seal=key.seal).data if reduce else one for one in read)
    facts = {"dags": [one.hash for one in serialized], "errors": {**bag.import_errors, **errors}}
    whole: dict[str, Any] = {
        "path": str(file.relative_to(place)),
        "content": hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest(),
        "dags": data,
        "import_errors": facts["errors"],
        **changes,
    }
    return wire.FileResult(**whole)
