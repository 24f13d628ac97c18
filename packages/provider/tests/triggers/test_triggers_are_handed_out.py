"""Which triggers a host is given, and when it is told of them."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timedelta, timezone

import pytest
from airflow.jobs.job import most_recent_job
from airflow.models.asset import AssetModel, DagScheduleAssetReference, TaskOutletAssetReference
from airflow.models.dag import DagModel
from airflow.models.dagbundle import DagBundleModel
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator
from airflow.serialization.serialized_objects import LazyDeserializedDAG
from airflow.triggers.base import StartTriggerArgs
from sqlalchemy import delete, select, update

from tradewind_protocol.errors import Code, Refusal
from tradewind_provider import notifications
from tradewind_provider.airflow import site_triggers
from tradewind_provider.airflow.database import create_session
from tradewind_provider.store.dag_tables import DagBundle

from .conftest import MOMENT, Plane, own_dag


async def test_a_deferred_tasks_trigger_is_given_out_with_its_arguments_and_its_task(plane: Plane) -> None:
    timeout = datetime(2030, 1, 1, tzinfo=timezone.utc)
    trigger_id, ti_id = plane.deferral(arguments={"password": "hunter2"}, trigger_timeout=timeout)
    host = plane.agent()
    (create,) = (await host.sync()).create
    assert (create.id, create.timeout_after) == (trigger_id, timeout)
    assert json.loads(create.arguments) == {"password": "hunter2"}
    assert create.ti is not None
    assert (create.ti["id"], create.ti["task_id"], create.ti["dag_id"]) == (str(ti_id), "waits", "etl")
    assert create.log_path.endswith("task_id=waits/attempt=1.log")
    assert create.dag_data is None
    assert (await host.sync()).create == ()


async def test_a_trigger_whose_answer_was_lost_is_given_out_again(plane: Plane) -> None:
    trigger_id, _ = plane.deferral()
    host = plane.agent()
    await host.post(host.says())  # applied, not heard
    assert [one.id for one in (await host.sync()).create] == [trigger_id]


async def test_arguments_a_worker_sent_in_the_clear_are_given_out_as_they_are(plane: Plane) -> None:
    trigger_id, _ = plane.deferral()
    with create_session() as db:
        db.execute(update(Trigger).where(Trigger.id == trigger_id).values(encrypted_kwargs='{"a": 1}'))
    (create,) = (await plane.agent().sync()).create
    assert json.loads(create.arguments) == {"a": 1}


async def test_a_watcher_of_an_asset_is_given_out_with_the_asset(plane: Plane) -> None:
    trigger_id = plane.watched_asset("orders")
    (create,) = (await plane.agent().sync()).create
    assert (create.id, create.watched_assets, create.ti) == (trigger_id, {"orders": "s3://b/orders"}, None)


async def test_a_deadlines_callback_is_given_out(plane: Plane) -> None:
    trigger_id, _ = plane.deadline_callback()
    (create,) = (await plane.agent().sync()).create
    assert (create.id, create.classpath) == (trigger_id, "airflow.triggers.callback.CallbackTrigger")
    assert json.loads(create.arguments)["callback_path"] == "site.late"


async def test_a_task_that_starts_from_its_trigger_comes_with_its_dag_and_run(plane: Plane) -> None:
    class Starts(BaseOperator):
        start_from_trigger = True
        start_trigger_args = StartTriggerArgs("site.T", "resume", trigger_kwargs={})

    dag = DAG("starts", schedule=None)
    Starts(task_id="waits", dag=dag)
    EmptyOperator(task_id="other", dag=dag)
    with create_session() as db:
        if db.get(DagBundleModel, "dags") is None:
            db.add(DagBundleModel(name="dags"))
            db.flush()
        db.add(DagModel(dag_id="starts", bundle_name="dags", fileloc="/x.py", relative_fileloc="x.py"))
        db.flush()
        SerializedDagModel.write_dag(LazyDeserializedDAG.from_dag(dag), bundle_name="dags", session=db)
        db.flush()
        version = db.query(SerializedDagModel).filter_by(dag_id="starts").one().dag_version_id
    starting, _ = plane.deferral(dag_id="starts", dag_version_id=version)
    plain, _ = plane.deferral(dag_id="starts", dag_version_id=version, task_id="other")
    found = {one.id: one for one in (await plane.agent().sync()).create}
    assert found[starting].dag_data is not None
    assert found[starting].dag_data["dag"]["dag_id"] == "starts"
    assert found[starting].dag_run_data is not None
    assert found[starting].dag_run_data["dag_id"] == "starts"
    assert found[plain].dag_data is None


async def test_a_trigger_whose_arguments_cannot_be_decrypted_fails_its_task(plane: Plane) -> None:
    trigger_id, ti_id = plane.deferral()
    with create_session() as db:
        db.execute(update(Trigger).where(Trigger.id == trigger_id).values(encrypted_kwargs="gAAAAA"))
    assert (await plane.agent().sync()).create == ()
    assert plane.ti(ti_id).next_method == "__fail__"
    assert "Fernet key was changed" in str(plane.ti(ti_id).next_kwargs)


async def test_a_host_is_given_no_more_than_it_has_room_for(plane: Plane) -> None:
    for _ in range(5):
        plane.deferral()
    host, other = plane.agent(capacity=3), plane.agent("eu-2")
    assert len((await host.sync()).create) == 3
    assert (await host.sync()).create == ()
    assert len((await other.sync(capacity=1)).create) == 1
    assert len((await other.sync()).create) == 1


async def test_triggers_go_to_hosts_of_their_queue(plane: Plane) -> None:
    gpu, _ = plane.deferral(queue="gpu")
    none, _ = plane.deferral()
    default_only, told = plane.agent(queues=("default",)), plane.agent(queues=("gpu",))
    assert [one.id for one in (await told.sync(queues=("gpu",))).create] == [gpu]
    assert [one.id for one in (await default_only.sync()).create] == [none]


async def test_an_agent_without_queues_of_triggers_serves_those_of_its_tasks_and_those_of_none(
    plane: Plane,
) -> None:
    wanted = {plane.deferral(queue="gpu")[0], plane.deferral()[0]}
    plane.deferral(queue="other")
    assert {one.id for one in (await plane.agent(queues=("gpu",)).sync()).create} == wanted


async def test_an_agent_that_runs_no_triggers_is_refused(plane: Plane) -> None:
    host = plane.agent(components=("worker",))
    response = await host.post(host.says())
    assert response.status_code == 403
    assert Refusal.model_validate_json(response.content).error is Code.COMPONENT_NOT_YOURS


async def test_a_set_of_ids_nobody_packed_is_refused(plane: Plane) -> None:
    host = plane.agent()
    response = await host.post(host.says().model_copy(update={"running": "nonsense"}))
    assert Refusal.model_validate_json(response.content).error is Code.MALFORMED


async def test_one_that_waits_is_told_at_once_when_a_task_defers(plane: Plane) -> None:
    host = plane.agent()
    await host.sync()
    waiting = asyncio.create_task(host.sync(hold=None))
    await asyncio.sleep(0.4)  # the watch has looked, and waits for news
    trigger_id, _ = plane.deferral()
    plane.hub.wake(notifications.TRIGGERS)
    assert [one.id for one in (await waiting).create] == [trigger_id]


async def test_one_that_waits_finds_what_nobody_announced(plane: Plane) -> None:
    host = plane.agent()
    await host.sync()
    waiting = asyncio.create_task(host.sync(hold=None))
    await asyncio.sleep(0.4)
    trigger_id = plane.watched_asset()
    assert [one.id for one in (await waiting).create] == [trigger_id]


async def test_one_that_waits_is_told_to_stop_what_a_person_cleared(plane: Plane) -> None:
    cleared, cleared_ti = plane.deferral()
    failed, failed_ti = plane.deferral()
    kept, _ = plane.deferral()
    host = plane.agent()
    await host.sync()
    waiting = asyncio.create_task(host.sync(hold=None))
    await asyncio.sleep(0.4)
    plane.set_task(cleared_ti, state=None)
    plane.set_task(failed_ti, state="failed")
    answer = await waiting
    assert (set(answer.cancel), answer.moved) == ({cleared, failed}, ())
    assert host.running == {kept}
    assert not plane.exists(cleared)


async def test_one_that_waits_without_news_is_answered_after_the_hold(plane: Plane) -> None:
    host = plane.agent()
    plane.deferral(queue="served by nobody")
    started = time.monotonic()
    answer = await host.sync(hold=None)
    assert answer == answer.__class__()
    assert time.monotonic() - started > 2.9


async def test_a_session_with_triggers_is_a_healthy_triggerer_for_airflow(plane: Plane) -> None:
    host = plane.agent("eu-1")
    await host.sync()
    job = most_recent_job("TriggererJob")
    assert job is not None
    assert job.is_alive()
    assert job.hostname == "eu-1.invalid"
    await host.sync()
    await host.sync()
    assert len(plane.jobs()) == 1


async def test_ten_thousand_waiting_triggers_cost_a_look_a_handful_of_statements(
    plane: Plane, statements: list[str]
) -> None:
    everything = plane.many(10_000)
    host = plane.agent(capacity=10_000)
    host.running = everything
    await host.sync()  # takes over what it runs already
    assert plane.owner(min(everything)) == plane.owner(max(everything)) is not None
    statements.clear()
    answer = await host.sync()
    assert (answer.create, answer.cancel, answer.moved) == ((), (), ())
    assert len(statements) < 15
    assert len(host.says().running) < 200


async def test_a_thousand_triggers_are_given_out_in_a_few_answers_of_few_statements(
    plane: Plane, statements: list[str]
) -> None:
    everything = plane.many(1000)
    host = plane.agent(capacity=1000)
    answers = 0
    statements.clear()
    while host.running != everything:
        assert (await host.sync()).create
        answers += 1
    assert answers <= 6
    assert len(statements) / answers < 60


async def test_triggers_go_to_the_site_whose_bundle_has_their_dag_and_there_to_agents_that_have_it(
    plane: Plane,
) -> None:
    stranger, lacks = plane.agent("us-1", site="us"), plane.agent("eu-2", bundles=())
    of_task, _ = plane.deferral()
    of_asset, (of_deadline, _) = plane.watched_asset(), plane.deadline_callback()
    for host in (stranger, lacks):
        assert (await host.sync()).create == ()
    has = plane.agent("eu-1")
    assert {one.id for one in (await has.sync()).create} == {of_task, of_asset, of_deadline}
    stranger.running = {of_task}  # what it says it runs gives it nothing
    assert (await stranger.sync()).create == ()
    assert plane.owner(of_task) is not None


@pytest.mark.parametrize("owner", ["default", None])
async def test_a_watcher_is_not_given_to_another_site_whose_dag_names_its_asset(
    plane: Plane, owner: str | None
) -> None:
    """Neither that of a site nor that of the plane. It was, with its arguments, and nothing watched the asset at home."""
    trigger_id = plane.watched_asset("orders")
    with create_session() as db:
        asset = db.scalar(select(AssetModel).where(AssetModel.name == "orders"))
        assert asset is not None
        if owner is None:
            db.execute(delete(DagBundle).where(DagBundle.name == "dags"))
        own_dag(db, "names_it", site="us", bundle="us-dags")
        later = datetime.now(timezone.utc) + timedelta(seconds=1)
        db.add(DagScheduleAssetReference(asset_id=asset.id, dag_id="names_it", created_at=later))
        db.add(TaskOutletAssetReference(asset_id=asset.id, dag_id="names_it", task_id="t", created_at=later))
    stranger = plane.agent("us-1", site="us", bundles=("us-dags",))
    assert (await stranger.sync()).create == ()
    assert (await stranger.sync(stranger.fires(trigger_id))).refused
    if owner is not None:
        assert [one.id for one in (await plane.agent("eu-1").sync()).create] == [trigger_id]


@pytest.mark.parametrize("queue", [None, "gpu"])
async def test_the_planes_own_triggerers_never_get_a_trigger_of_a_sites_dag(
    plane: Plane, queue: str | None
) -> None:
    site_triggers.install()
    host = plane.agent(queues=("gpu",))
    ti_id = plane.task_instance(state="running")
    with create_session() as db:  # as Airflow's Execution API and its scheduler do
        trigger = Trigger(classpath=MOMENT, kwargs={"moment": "soon"}, queue=queue)
        db.add(trigger)
        db.flush()
        of_site = trigger.id
        db.execute(
            update(TaskInstance.__table__)
            .where(TaskInstance.id == ti_id)
            .values(state="deferred", trigger_id=of_site)
        )
    for queues in (None, {"gpu"}):
        with create_session() as db:
            db.execute(update(Trigger).where(Trigger.id == of_site).values(triggerer_id=None))
            Trigger.assign_unassigned(4711, 10, 30, queues, session=db)
        assert plane.owner(of_site) is None
    assert [one.id for one in (await host.sync()).create] == [of_site]


async def test_triggers_of_the_planes_own_dags_are_left_as_they_are(plane: Plane) -> None:
    site_triggers.install()
    ti_id = plane.task_instance(state="running")
    with create_session() as db:
        db.execute(delete(DagBundle))
        trigger = Trigger(classpath=MOMENT, kwargs={"moment": "soon"})
        db.add(trigger)
        db.flush()
        db.execute(
            update(TaskInstance.__table__).where(TaskInstance.id == ti_id).values(trigger_id=trigger.id)
        )
        found = trigger.id
    with create_session() as db:
        assert db.scalar(select(Trigger.queue).where(Trigger.id == found)) is None
