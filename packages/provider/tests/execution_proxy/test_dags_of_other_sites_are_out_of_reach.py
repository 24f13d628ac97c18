"""An agent reaches the Dags of its own site; of what its triggerer may write, its triggers decide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from airflow import settings as airflow_settings
from airflow.models.asset import (
    AssetActive,
    AssetEvent,
    AssetModel,
    AssetWatcherModel,
    DagScheduleAssetReference,
)
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.models.xcom import XComModel
from sqlalchemy import delete, event, func, select, update

from tradewind_protocol.operator import SiteAccess
from tradewind_provider.airflow.database import create_session
from tradewind_provider.domain.dag_access import SiteGrant
from tradewind_provider.services import session_authentication, site_grants, triggers
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.tables import Attempt, SiteAccessGrant

from .conftest import Plane, utc_now

ALL_COMPONENTS = ("worker", "dag_processor", "triggerer")


@pytest.fixture(autouse=True)
def two_sites(database: None) -> Iterator[None]:
    """Dag `ours` of site eu and Dag `theirs` of site us, each with a run `r`."""
    with create_session() as db:
        for dag_id, site in (("ours", "eu"), ("theirs", "us")):
            bundle = f"{site}-dags"
            if db.get(DagBundleModel, bundle) is None:
                db.add(DagBundleModel(name=bundle))
                db.flush()
                db.add(DagModel(dag_id=dag_id, bundle_name=bundle, fileloc="/x.py", relative_fileloc="x.py"))
                db.flush()
                db.add(
                    DagRun(
                        dag_id=dag_id,
                        run_id="r",
                        run_type="manual",
                        run_after=utc_now(),
                        logical_date=utc_now(),
                        state="running",
                    )
                )
            db.merge(
                DagBundle(
                    name=bundle,
                    site=site,
                    token_id=uuid4(),
                    agent_id=uuid4(),
                    agent_name="a",
                    mark="m",
                    claimed_at=utc_now(),
                )
            )
    yield
    with create_session() as db:
        db.execute(delete(DagBundle).where(DagBundle.name.in_(["eu-dags", "us-dags"])))


WRITES_TO_A_TASK = ("POST", "/xcoms/{dag}/r/t/k")  # Airflow needs the task instance, which is not there

ASKED = [
    ("GET", "/dag-runs/{dag}/r/state"),
    ("GET", "/dag-runs/{dag}/r"),
    ("POST", "/dag-runs/{dag}/new"),
    ("POST", "/dag-runs/{dag}/r/clear"),
    ("GET", "/dag-runs/count?dag_id={dag}"),
    ("GET", "/dag-runs/count?dag_id=ours&dag_id={dag}"),
    ("GET", "/dag-runs/count?dag_id={dag}&dag_id=ours"),
    ("GET", "/dag-runs/count?dag%5Fid={dag}"),
    ("GET", "/dag-runs/previous?dag_id={dag}&logical_date=2030-01-01T00:00:00Z"),
    ("GET", "/task-instances/count?dag_id={dag}"),
    ("GET", "/task-instances/states?dag_id={dag}"),
    ("GET", "/task-instances/breadcrumbs?dag_id={dag}&run_id=r"),
    ("GET", "/task-instances/previous/{dag}/t"),
    ("GET", "/dags/{dag}"),
    ("GET", "/xcoms/{dag}/r/t/k"),
    ("HEAD", "/xcoms/{dag}/r/t/k"),
    ("GET", "/xcoms/{dag}/r/t/k/item/0"),
    ("GET", "/xcoms/{dag}/r/t/k/slice"),
    WRITES_TO_A_TASK,
    ("DELETE", "/xcoms/{dag}/r/t/k"),
]


async def answered(plane: Plane, session: str, caller: str, method: str, path: str) -> tuple[int, str]:
    async with plane.http(session, caller) as client:
        answer = await client.request(method, path, json=None if method in ("GET", "HEAD") else {})
    if answer.status_code != 403 or method == "HEAD":
        return answer.status_code, ""
    return 403, answer.json()["error"]


@pytest.mark.parametrize(("method", "path"), ASKED)
async def test_no_caller_reaches_a_dag_of_another_site(plane: Plane, method: str, path: str) -> None:
    session = plane.session(site="eu", components=ALL_COMPONENTS)
    task = plane.attempt(session, plane.task_instance("running"))
    for caller in (task, "dag_processor", "triggerer"):
        status, error = await answered(plane, session, caller, method, path.format(dag="theirs"))
        assert (status, error) == (403, "" if method == "HEAD" else "not_permitted"), caller
    if (method, path) != WRITES_TO_A_TASK:
        status, _ = await answered(plane, session, task, method, path.format(dag="ours"))
        assert status != 403
    with create_session() as db:
        assert db.scalar(select(func.count()).where(DagRun.dag_id == "theirs", DagRun.run_id == "new")) == 0


async def test_a_dag_that_the_plane_does_not_know_is_not_there(plane: Plane) -> None:
    session = plane.session(site="eu", components=ALL_COMPONENTS)
    async with plane.http(session, "dag_processor") as client:
        assert (await client.get("/dag-runs/count?dag_id=unheard_of")).json() == 0


STATE, VALUE = ("GET", "/dag-runs/theirs/r/state"), ("GET", "/xcoms/theirs/r/t/k")
START, WRITE = ("POST", "/dag-runs/theirs/{new}"), ("DELETE", "/xcoms/theirs/r/t/k")
EVERYTHING = {STATE, VALUE, START, WRITE}


@pytest.fixture
def granted() -> Iterator[Callable[[SiteGrant], UUID]]:
    """Makes a grant, as an administrator does."""

    def grant(one: SiteGrant) -> UUID:
        with create_session() as db:
            return site_grants.add(db, one, actor="ada", reason="", now=utc_now()).id

    yield grant
    with create_session() as db:
        db.execute(delete(SiteAccessGrant))


async def refused_of(plane: Plane, session: str, caller: str) -> set[tuple[str, str]]:
    found = set()
    for method, path in EVERYTHING:
        status, error = await answered(plane, session, caller, method, path.format(new=uuid4()))
        if status == 403:
            assert error == "not_permitted"
            found.add((method, path))
    return found


@pytest.mark.parametrize(
    ("grant", "allowed"),
    [
        (SiteGrant("eu", "us", SiteAccess.WAIT), {STATE}),
        (SiteGrant("eu", "us", SiteAccess.READ), {STATE, VALUE}),
        (SiteGrant("eu", "us", SiteAccess.START), {STATE, START}),
        (SiteGrant("eu", "us", SiteAccess.WRITE), EVERYTHING),
        (SiteGrant("eu", "*", SiteAccess.READ), {STATE, VALUE}),
        (SiteGrant("eu", "us", SiteAccess.CONSUME), set()),
        (SiteGrant("us", "eu", SiteAccess.WRITE), set()),
        (SiteGrant("eu", "asia", SiteAccess.WRITE), set()),
    ],
)
async def test_an_administrator_opens_the_dags_of_one_site_to_another(
    plane: Plane,
    granted: Callable[[SiteGrant], UUID],
    grant: SiteGrant,
    allowed: set[tuple[str, str]],
) -> None:
    granted(grant)
    session = plane.session(site="eu")
    task = plane.attempt(session, plane.task_instance("running"))
    assert await refused_of(plane, session, task) == EVERYTHING - allowed


async def test_sealed_parameters_start_runs_of_dags_that_can_read_them_only(
    plane: Plane, granted: Callable[[SiteGrant], UUID]
) -> None:
    granted(SiteGrant("eu", "us", SiteAccess.START))
    session = plane.session(site="eu")
    task = plane.attempt(session, plane.task_instance("running"))
    form = {"sealed_by": "eu, key 2026-11", "tradewind_sealed": "2026-11." + "A" * 60}
    async with plane.http(session, task) as client:
        refused = await client.post(f"/dag-runs/theirs/{uuid4()}", json={"conf": form})
        clear = await client.post(f"/dag-runs/theirs/{uuid4()}", json={"conf": {"a": 1}})
        own = await client.post(f"/dag-runs/ours/{uuid4()}", json={"conf": form})
    assert (refused.status_code, refused.json()["error"]) == (403, "policy_refused")
    assert "run_parameters = ['!theirs']" in refused.json()["remedy"]
    assert 403 not in (clear.status_code, own.status_code)


async def test_a_grant_counts_and_ends_within_two_seconds(
    plane: Plane, granted: Callable[[SiteGrant], UUID]
) -> None:
    session = plane.session(site="eu")
    task = plane.attempt(session, plane.task_instance("running"))
    assert await refused_of(plane, session, task) == EVERYTHING
    grant = granted(SiteGrant("eu", "us", SiteAccess.WRITE))
    assert await refused_of(plane, session, task) == set()
    with create_session() as db:
        site_grants.remove(db, grant, actor="ada", reason="", now=utc_now())
    plane.clock.at += 2.0
    assert await refused_of(plane, session, task) == EVERYTHING


async def test_an_attempt_of_the_planes_own_dag_reaches_that_dag_at_any_site(plane: Plane) -> None:
    """Its queue may name a site that gets none of the plane's other work."""
    session = plane.session(site="eu")
    ti_id = plane.task_instance("running")
    attempt = plane.attempt(session, ti_id)
    path = f"/xcoms/etl/{plane.ti(ti_id).run_id}/extract/k"
    async with plane.http(session, attempt) as client:
        assert (await client.post(path, json="s3://bucket/key")).status_code == 403
        with create_session() as db:
            db.execute(update(Attempt).where(Attempt.subject_id == ti_id).values(bundle="dags"))
        assert (await client.post(path, json="s3://bucket/key")).status_code == 201


async def test_a_dag_of_the_site_is_looked_up_once_for_all_of_the_agents_attempts(plane: Plane) -> None:
    session = plane.session(site="eu")
    looked_up: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "tradewind_dag_bundle" in statement:
            looked_up.append(statement)

    event.listen(airflow_settings.engine, "before_cursor_execute", note)
    try:
        for _ in range(3):
            task = plane.attempt(session, plane.task_instance("running"))
            status, _ = await answered(plane, session, task, "GET", "/dag-runs/ours/r/state")
            assert status == 200
    finally:
        event.remove(airflow_settings.engine, "before_cursor_execute", note)
    assert len(looked_up) == 1


async def test_what_one_attempt_reaches_of_another_site_no_other_attempt_reaches(plane: Plane) -> None:
    """The bundle has changed hands while its task runs: that is this attempt's right alone."""
    session = plane.session(site="eu")
    runs_it = plane.attempt(session, plane.task_instance("running"))
    another = plane.attempt(session, plane.task_instance("running"))
    with create_session() as db:
        attempt_id = UUID(runs_it.partition(":")[0])
        db.execute(update(Attempt).where(Attempt.id == attempt_id).values(bundle="us-dags"))
    asked = ("GET", "/dag-runs/theirs/r/state")
    assert (await answered(plane, session, runs_it, *asked))[0] == 200
    assert await answered(plane, session, another, *asked) == (403, "not_permitted")


async def test_a_bundle_that_changes_hands_is_out_of_reach_within_seconds(plane: Plane) -> None:
    session = plane.session(site="eu", components=ALL_COMPONENTS)
    async with plane.http(session, "dag_processor") as client:
        assert (await client.get("/dag-runs/count?dag_id=ours")).status_code == 200
        with create_session() as db:
            db.execute(update(DagBundle).where(DagBundle.name == "eu-dags").values(site="us"))
        plane.clock.at += 2.0
        assert (await client.get("/dag-runs/count?dag_id=ours")).status_code == 403


def trigger_of(token: str, ti_id: UUID | None = None) -> int:
    """A trigger that the session runs, and that the task instance waits for."""
    with create_session() as db:
        job = triggers.job_of(db, session_authentication.authenticate(db, token, utc_now()), now=utc_now())
        trigger = Trigger(classpath="x", kwargs={})
        trigger.triggerer_id = job
        db.add(trigger)
        db.flush()
        if ti_id is not None:
            db.execute(update(TaskInstance).where(TaskInstance.id == ti_id).values(trigger_id=trigger.id))
        return int(trigger.id)


async def test_a_triggerer_writes_xcoms_of_tasks_that_wait_for_its_triggers(plane: Plane) -> None:
    session, neighbour = (plane.session(components=("triggerer",)) for _ in range(2))
    mine, idle, theirs = (plane.task_instance("deferred") for _ in range(3))
    trigger_of(session, mine)
    trigger_of(neighbour, theirs)

    def path(ti_id: UUID, more: str = "") -> str:
        return f"/xcoms/etl/{plane.ti(ti_id).run_id}/extract/k{more}"

    async with plane.http(session, "triggerer") as client:
        assert (await client.post(path(mine), json="s3://bucket/key")).status_code == 201
        assert (await client.post(path(mine, "?map_index=-1"), json="s3://bucket/key")).status_code == 201
        refused: list[Any] = [
            await client.post(path(mine, "?map_index=0"), json="s3://bucket/key"),
            await client.post(path(idle), json="s3://bucket/key"),
            await client.post(path(theirs), json="s3://bucket/key"),
            await client.delete(path(theirs)),
        ]
        assert {(one.status_code, one.json()["error"]) for one in refused} == {(403, "trigger_not_yours")}
        for odd in ("?map_index=-1&map_index=0", "?map_index=1.0", "?map_index="):
            answer = await client.post(path(mine, odd), json="s3://bucket/key")
            assert answer.json()["error"] == "malformed", odd
        assert (await client.get(path(theirs))).status_code == 404
        assert (await client.delete(path(mine))).status_code == 200
    with create_session() as db:
        run_ids = [plane.ti(ti_id).run_id for ti_id in (mine, idle, theirs)]
        assert db.scalar(select(func.count()).where(XComModel.run_id.in_(run_ids))) == 0


async def test_a_triggerer_asks_for_the_state_of_assets_that_its_triggers_watch(plane: Plane) -> None:
    session = plane.session(site="eu", components=("triggerer",))
    watched, other = f"watched-{uuid4()}", f"other-{uuid4()}"
    trigger_id = trigger_of(session)
    with create_session() as db:
        for name in (watched, other):
            asset = AssetModel(name=name, uri=f"s3://bucket/{name}", group="asset")
            db.add(asset)
            db.add(AssetActive.for_asset(asset))
            db.flush()
            db.add(DagScheduleAssetReference(asset_id=asset.id, dag_id="ours"))
            if name == watched:
                db.add(AssetWatcherModel(name="w", asset_id=asset.id, trigger_id=trigger_id))
    async with plane.http(session, "triggerer") as client:
        for by, parameter in (("name", watched), ("uri", f"s3://bucket/{watched}")):
            path = f"/store/asset/by-{by}/value"
            asked = {by: parameter, "key": "cursor"}
            assert (await client.put(path, params=asked, json={"value": "s3://bucket/k"})).status_code < 300
            assert (await client.get(path, params=asked)).status_code == 200
            refused = await client.get(path, params={by: parameter.replace(watched, other), "key": "cursor"})
            assert (refused.status_code, refused.json()["error"]) == (403, "trigger_not_yours")
            twice = [(by, parameter), (by, parameter.replace(watched, other)), ("key", "cursor")]
            assert (await client.get(path, params=twice)).json()["error"] == "malformed"


ABOUT_AN_ASSET = [
    ("GET", "/assets/by-name?name={name}", SiteAccess.CONSUME),
    ("GET", "/assets/by-uri?uri=s3://bucket/{name}", SiteAccess.CONSUME),
    ("GET", "/asset-events/by-asset?name={name}&uri=s3://bucket/{name}", SiteAccess.CONSUME),
    ("GET", "/asset-events/by-asset?name={name}&uri=", SiteAccess.CONSUME),
    ("GET", "/asset-events/by-asset?name=&uri=s3://bucket/{name}", SiteAccess.CONSUME),
    ("PUT", "/store/asset/by-name/value?name={name}&key=k", SiteAccess.WRITE),
    ("GET", "/store/asset/by-uri/value?uri=s3://bucket/{name}&key=k", SiteAccess.CONSUME),
    ("DELETE", "/store/asset/by-name/value?name={name}&key=k", SiteAccess.WRITE),
    ("DELETE", "/store/asset/by-name/clear?name={name}", SiteAccess.WRITE),
]


def asset_used_by(*dags: str) -> str:
    """A new asset, in the schedules of those Dags, one after the other."""
    name = f"used-{uuid4()}"
    with create_session() as db:
        asset = AssetModel(name=name, uri=f"s3://bucket/{name}", group="asset")
        db.add_all([asset, AssetActive.for_asset(asset)])
        db.flush()
        for number, dag_id in enumerate(dags):
            used = DagScheduleAssetReference(asset_id=asset.id, dag_id=dag_id)
            used.created_at = utc_now() + timedelta(minutes=number)
            db.add(used)
    return name


@pytest.mark.parametrize(("method", "path", "access"), ABOUT_AN_ASSET)
async def test_an_asset_is_the_sites_whose_dag_has_used_it_the_longest(
    plane: Plane,
    granted: Callable[[SiteGrant], UUID],
    method: str,
    path: str,
    access: SiteAccess,
) -> None:
    """Naming it too gives the other site nothing, and takes nothing from the first."""
    session = plane.session(site="eu", components=ALL_COMPONENTS)
    task = plane.attempt(session, plane.task_instance("running"))
    body = {"value": "s3://bucket/k"} if method == "PUT" else None
    first_theirs, first_ours = asset_used_by("theirs", "ours"), asset_used_by("ours", "theirs")
    async with plane.http(session, task) as client:
        own = await client.request(method, path.format(name=first_ours), json=body)
        assert own.status_code != 403, own.text
        refused = await client.request(method, path.format(name=first_theirs), json=body)
        assert (refused.status_code, refused.json()["error"]) == (403, "not_permitted")
        assert f"site-access add eu {access.value} us" in refused.json()["remedy"]
        granted(SiteGrant("eu", "us", access))
        let_in = await client.request(method, path.format(name=first_theirs), json=body)
        assert let_in.status_code != 403, let_in.text


async def test_an_asset_that_no_dag_uses_is_of_the_site_that_wrote_its_first_event(plane: Plane) -> None:
    session = plane.session(site="eu", components=ALL_COMPONENTS)
    task = plane.attempt(session, plane.task_instance("running"))
    nobodys, ours = asset_used_by(), asset_used_by()
    with create_session() as db:
        asset_id = db.scalar(select(AssetModel.id).where(AssetModel.name == ours))
        db.add(
            AssetEvent(
                asset_id=asset_id,
                source_dag_id="ours",
                source_task_id="t",
                source_run_id="r",
                source_map_index=-1,
            )
        )
    async with plane.http(session, task) as client:
        refused = await client.get(f"/assets/by-name?name={nobodys}")
        assert (refused.status_code, refused.json()["error"]) == (403, "not_permitted")
        assert (await client.get(f"/assets/by-name?name={ours}")).status_code == 200
        assert (await client.get("/assets/by-name?name=never-was")).status_code == 404
