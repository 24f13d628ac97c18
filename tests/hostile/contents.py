"""What the plane under attack has in its tables: tokens, Dags, runs, values, sessions and work, as the plane would have written them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

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
from sqlalchemy import insert, select, update

from tradewind_protocol import ids, paths
from tradewind_provider.airflow import database
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import session_authentication, tokens, triggers
from tradewind_provider.store.dag_tables import DagBundle
from tradewind_provider.store.manager import TradewindDBManager  # noqa: F401  # fills the MetaData
from tradewind_provider.store.tables import AgentToken, Attempt

from .fingerprints import airflow_table
from .sites import ATTACKER, ROLES, VICTIM, Site, headers, opening, utc_now

if TYPE_CHECKING:
    from .world import World


def fill(world: World) -> None:
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
                    insert(airflow_table("task_instance")).values(
                        **_task_instance(ti_id, dag_id, state, version.id)
                    )
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


async def sign_in(world: World) -> None:
    for name in ROLES:
        answer = await world.ask(
            "POST",
            "/auth/token",
            given={"content-type": "application/json"},
            json_body={"username": name, "password": f"pw-{name}"},
        )
        world.users[name] = answer.json()["access_token"]


async def open_sessions(world: World) -> None:
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


def work(world: World) -> None:
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
            agent = session_authentication.authenticate(db, site.session, utc_now())
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
