"""An event of an asset starts Dags of the site it came from, and of sites that have a grant to consume it."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from uuid import uuid4

import pytest
from airflow.assets.manager import AssetManager
from airflow.models.asset import (
    AssetActive,
    AssetAliasModel,
    AssetDagRunQueue,
    AssetEvent,
    AssetModel,
    DagScheduleAssetAliasReference,
    DagScheduleAssetReference,
)
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.log import Log
from sqlalchemy import delete, select

from tradewind_protocol.operator import SiteAccess
from tradewind_provider.airflow import assets
from tradewind_provider.airflow.database import create_session
from tradewind_provider.domain.dag_access import SiteGrant
from tradewind_provider.services import asset_access, site_grants
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.tables import SiteAccessGrant

from .conftest import utc_now

BUNDLES = {"eu": "eu-assets", "us": "us-assets", None: "planes-assets"}


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    assets.install(asset_access.admit, asset_access.may_reach)


@pytest.fixture
def asset(database: None) -> Iterator[str]:
    """An asset that Dags of sites eu and us, and one of the plane, are scheduled by; each `uses-<name>`."""
    name = f"shared-{uuid4()}"
    with create_session() as db:
        model = AssetModel(name=name, uri=f"s3://bucket/{name}", group="asset")
        db.add(model)
        db.add(AssetActive.for_asset(model))
        db.flush()
        for site, bundle in BUNDLES.items():
            if db.get(DagBundleModel, bundle) is None:
                row = DagBundleModel(name=bundle)
                row.active = True
                db.add(row)
                db.flush()
                for dag_id in (f"uses-{site}", f"makes-{site}"):
                    dag = DagModel(
                        dag_id=dag_id, bundle_name=bundle, fileloc="/x.py", relative_fileloc="x.py"
                    )
                    dag.is_paused = False
                    db.add(dag)
                db.flush()
            db.add(DagScheduleAssetReference(asset_id=model.id, dag_id=f"uses-{site}"))
            if site is not None:
                owner = DagBundle(
                    name=bundle,
                    site=site,
                    token_id=uuid4(),
                    agent_id=uuid4(),
                    agent_name="a",
                    mark="m",
                    claimed_at=utc_now(),
                )
                db.merge(owner)
    yield name
    with create_session() as db:
        db.execute(delete(AssetDagRunQueue))
        db.execute(delete(SiteAccessGrant))
        db.execute(delete(Log).where(Log.event == "tradewind_asset_not_consumed"))
        db.execute(delete(DagBundle).where(DagBundle.name.in_(list(filter(None, BUNDLES.values())))))


def emitted(
    asset: str, *, by: str | None = None, watched_at: str | None = None, aliases: tuple[str, ...] = ()
) -> set[str]:
    """The Dags that are queued for an event of the asset."""
    with create_session() as db:
        told = SimpleNamespace(name=asset, uri=f"s3://bucket/{asset}")
        ti = None
        if by is not None:
            ti = SimpleNamespace(task_id="t", dag_id=by, run_id="r", map_index=-1)
        if watched_at is None:
            AssetManager.register_asset_change(
                task_instance=ti, asset=told, source_alias_names=aliases, session=db
            )
        else:
            with assets.emitted_by(db, watched_at):
                AssetManager.register_asset_change(asset=told, extra={"from_trigger": True}, session=db)
    with create_session() as db:
        queued = set(db.scalars(select(AssetDagRunQueue.target_dag_id)))
        db.execute(delete(AssetDagRunQueue))
    return queued


def test_a_site_starts_its_own_dags_only(asset: str) -> None:
    assert emitted(asset, by="makes-us") == {"uses-us"}
    assert emitted(asset, watched_at="eu") == {"uses-eu"}
    with create_session() as db:
        told = db.execute(
            select(Log.dag_id, Log.extra).where(Log.event == "tradewind_asset_not_consumed")
        ).all()
    reasons = {dag_id: extra for dag_id, extra in told if "'makes-us'" in extra}
    assert reasons.keys() == {"uses-eu", "uses-None"}
    assert "tradewind site-access add eu consume us" in reasons["uses-eu"]


@pytest.mark.parametrize(
    ("grant", "started"),
    [
        (SiteGrant("eu", "us", SiteAccess.CONSUME), {"uses-us", "uses-eu"}),
        (SiteGrant("eu", "*", SiteAccess.CONSUME), {"uses-us", "uses-eu"}),
        (SiteGrant("eu", "us", SiteAccess.WRITE), {"uses-us"}),
        (SiteGrant("us", "eu", SiteAccess.CONSUME), {"uses-us"}),
    ],
)
def test_a_grant_lets_a_site_consume_what_another_writes(
    asset: str, grant: SiteGrant, started: set[str]
) -> None:
    with create_session() as db:
        site_grants.add(db, grant, actor="ada", reason="", now=utc_now())
    assert emitted(asset, by="makes-us") == started


@pytest.mark.parametrize(
    ("grant", "told"),
    [
        (None, {"makes-eu", "makes-None", "trigger of eu", "user"}),
        (
            SiteGrant("eu", "us", SiteAccess.CONSUME),
            {"makes-eu", "makes-us", "makes-None", "trigger of eu", "trigger of us", "user"},
        ),
    ],
)
def test_a_run_is_told_of_events_by_the_same_rule(
    asset: str, grant: SiteGrant | None, told: set[str]
) -> None:
    """A run gets every event of its assets since the run before, and not only those that started it."""
    for by in ("makes-eu", "makes-us", "makes-None", None):
        emitted(asset, by=by)
    for site in ("eu", "us"):
        emitted(asset, watched_at=site)
    with create_session() as db:
        if grant is not None:
            site_grants.add(db, grant, actor="ada", reason="", now=utc_now())
        run = DagRun(
            dag_id="uses-eu",
            run_id=f"r-{uuid4()}",
            run_type="asset_triggered",
            run_after=utc_now(),
            state="queued",
        )
        db.add(run)
        db.flush()
        # as the scheduler does
        run.consumed_asset_events.extend(
            db.scalars(select(AssetEvent).where(AssetEvent.asset.has(AssetModel.name == asset)))
        )
        db.flush()
        run_id = run.run_id
    with create_session() as db:
        run = db.scalar(select(DagRun).where(DagRun.run_id == run_id))
        assert {source(one) for one in run.consumed_asset_events} == told
        assert len(run.consumed_asset_events) == len(told)
        db.delete(run)


def source(event: AssetEvent) -> str:
    if event.source_dag_id is not None:
        return str(event.source_dag_id)
    site = event.extra.get(assets.FROM_SITE)
    return f"trigger of {site}" if site else "user"


def test_an_event_by_an_alias_starts_dags_by_the_same_rule(asset: str) -> None:
    """Dags that wait for an alias, and for the asset that a task of another site made it stand for."""
    alias = f"alias-{uuid4()}"
    with create_session() as db:
        model = AssetAliasModel(name=alias, group="asset")
        db.add(model)
        db.flush()
        for site in ("eu", "us"):
            db.add(DagScheduleAssetAliasReference(alias_id=model.id, dag_id=f"makes-{site}"))
    try:
        assert emitted(asset, by="makes-us", aliases=(alias,)) == {"uses-us", "makes-us"}
        with create_session() as db:
            site_grants.add(
                db, SiteGrant("eu", "us", SiteAccess.CONSUME), actor="ada", reason="", now=utc_now()
            )
        assert emitted(asset, by="makes-us", aliases=(alias,)) == {
            "uses-us",
            "makes-us",
            "uses-eu",
            "makes-eu",
        }
    finally:
        with create_session() as db:
            db.execute(delete(DagScheduleAssetAliasReference))


def test_what_the_plane_or_a_user_writes_starts_any_dag(asset: str) -> None:
    every = {"uses-eu", "uses-us", "uses-None"}
    assert emitted(asset, by="makes-None") == every
    assert emitted(asset) == every
