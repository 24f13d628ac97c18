"""What follows from what a host reports: once, in order, and only for its own triggers."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from airflow.models.callback import Callback
from airflow.models.xcom import XComModel
from sqlalchemy import select

from tradewind_protocol import values
from tradewind_protocol.errors import Code, Refusal
from tradewind_provider.airflow.database import create_session
from tradewind_provider.services import triggers as service
from tradewind_provider.store.tables import Event

from .conftest import Plane


async def test_an_event_resumes_its_task_with_its_payload(plane: Plane) -> None:
    trigger_id, ti_id = plane.deferral()
    host = plane.agent()
    await host.sync()
    payload = {"at": datetime(2026, 1, 2, tzinfo=timezone.utc), "rows": [1, 2]}
    answer = await host.sync(host.fires(trigger_id, values.pack(payload)), news=False)
    assert (answer.applied_through, answer.refused) == (1, ())
    ti = plane.ti(ti_id)
    assert (ti.state, ti.trigger_id, ti.next_method) == ("scheduled", None, "resume")
    from airflow.sdk.serde import deserialize

    assert deserialize(ti.next_kwargs)["event"] == payload


async def test_a_failure_fails_its_task_with_the_traceback(plane: Plane) -> None:
    trigger_id, ti_id = plane.deferral()
    host = plane.agent()
    await host.sync()
    await host.sync(host.fails(trigger_id, "Traceback\n", "ValueError: no\n"))
    ti = plane.ti(ti_id)
    assert (ti.state, ti.next_method) == ("scheduled", "__fail__")
    assert "ValueError: no" in str(ti.next_kwargs)


def refusals_of(trigger: str) -> list[Event]:
    with create_session() as db:
        of = select(Event).where(Event.action == "work_refused", Event.subject == f"trigger:{trigger}")
        return list(db.scalars(of))


async def test_a_trigger_that_a_rule_of_its_site_refuses_is_an_event_once(plane: Plane) -> None:
    trigger_id, ti_id = plane.deferral()
    host = plane.agent()
    await host.sync()
    refused = host.fails(trigger_id, "the site's rule 'triggers' refuses it\n", rule="triggers")
    for _ in range(2):  # an answer was lost
        await host.sync(refused)
    assert plane.ti(ti_id).next_method == "__fail__"
    ti = plane.ti(ti_id)
    (event,) = refusals_of(f"{ti.dag_id}.{ti.task_id} [{ti.run_id}]")
    assert (event.actor, event.detail["rule"]) == ("agent:eu-1", "triggers")


async def test_a_refused_watcher_is_one_event_and_not_one_each_time_it_is_tried(plane: Plane) -> None:
    trigger_id = plane.watched_asset()
    host = plane.agent()
    await host.sync()
    for _ in range(3):
        await host.sync(host.fails(trigger_id, "refused\n", rule="triggers"))
    assert len(refusals_of(str(trigger_id))) == 1


async def test_events_whose_answer_was_lost_are_applied_once(plane: Plane) -> None:
    trigger_id = plane.watched_asset()
    host = plane.agent()
    await host.sync()
    first, second, third = (host.fires(trigger_id, n) for n in (1, 2, 3))
    await host.post(host.says(first, second, news=False))  # applied, not heard
    plane.restart()
    host.http = plane.http
    answer = await host.sync(first, second, third, news=False)
    assert answer.applied_through == 3
    assert plane.asset_events() == [1, 2, 3]
    assert (await host.sync(second, third)).applied_through == 3
    assert plane.asset_events() == [1, 2, 3]


async def test_a_callbacks_events_are_its_states(plane: Plane) -> None:
    trigger_id, callback_id = plane.deadline_callback()
    host = plane.agent()
    await host.sync()
    await host.sync(host.fires(trigger_id, {"state": "running"}))
    await host.sync(host.fires(trigger_id, {"state": "success", "body": "told ada"}))
    with create_session() as db:
        callback = db.scalars(select(Callback).where(Callback.id == callback_id)).one()
        assert (callback.state, callback.output) == ("success", "told ada")


async def test_an_event_can_end_its_task_without_a_worker(plane: Plane) -> None:
    trigger_id, ti_id = plane.deferral()
    host = plane.agent()
    await host.sync()
    report = host.fires(trigger_id, end_state="success", xcoms={"rows": 3, "names": ["a"]})
    answer = await host.sync(report, news=False)
    assert answer.refused == ()
    assert plane.ti(ti_id).state == "success"
    with create_session() as db:
        found = db.execute(
            select(XComModel.key).where(XComModel.run_id == plane.ti(ti_id).run_id).order_by(XComModel.key)
        )
        assert [key for (key,) in found] == ["names", "rows"]


async def test_under_the_strict_policy_an_event_leaves_references_only(plane: Plane) -> None:
    value_id, value_ti = plane.deferral()
    place_id, place_ti = plane.deferral()
    host = plane.agent(policy="strict")
    await host.sync()
    answer = await host.sync(
        host.fires(value_id, end_state="success", xcoms={"rows": 3}),
        host.fires(place_id, end_state="success", xcoms={"rows": "s3://bucket/rows"}),
        news=False,
    )
    assert [(one.seq, one.refusal.error) for one in answer.refused] == [(1, Code.POLICY_REFUSED)]
    assert (plane.ti(value_ti).state, plane.ti(place_ti).state) == ("deferred", "success")


async def test_an_event_of_somebody_elses_trigger_is_refused_and_the_rest_applied(plane: Plane) -> None:
    theirs, theirs_ti = plane.deferral()
    other = plane.agent("eu-2")
    await other.sync()
    mine, mine_ti = plane.deferral()
    host = plane.agent("eu-1")
    await host.sync()
    host.running.add(theirs)
    answer = await host.sync(host.fires(theirs), host.fires(mine), news=False)
    assert [(one.seq, one.refusal.error) for one in answer.refused] == [(1, Code.TRIGGER_NOT_YOURS)]
    assert answer.applied_through == 2
    assert (plane.ti(theirs_ti).state, plane.ti(mine_ti).state) == ("deferred", "scheduled")


async def test_an_event_of_a_trigger_that_is_gone_is_acknowledged(plane: Plane) -> None:
    host = plane.agent()
    answer = await host.sync(host.fires(123_456_789))
    assert (answer.applied_through, answer.refused) == (1, ())


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({values.TAG: ["class", "os.system"]}, Code.MALFORMED),
        ("x" * 2_000_000, Code.TOO_LARGE),
    ],
)
async def test_an_event_nobody_can_use_is_refused_and_the_rest_applied(
    plane: Plane, payload: object, code: Code
) -> None:
    bad, bad_ti = plane.deferral()
    good, good_ti = plane.deferral()
    host = plane.agent()
    await host.sync()
    answer = await host.sync(host.fires(bad, payload), host.fires(good, 1), news=False)
    assert [(one.seq, one.refusal.error) for one in answer.refused] == [(1, code)]
    assert (plane.ti(bad_ti).state, plane.ti(good_ti).state) == ("deferred", "scheduled")


async def test_a_callbacks_event_that_is_no_map_is_refused(plane: Plane) -> None:
    trigger_id, _ = plane.deadline_callback()
    host = plane.agent()
    await host.sync()
    answer = await host.sync(host.fires(trigger_id, "success"), news=False)
    assert [one.refusal.error for one in answer.refused] == [Code.MALFORMED]


async def test_numbers_of_another_agents_host_cannot_be_used(plane: Plane) -> None:
    trigger_id = plane.watched_asset()
    host, thief = plane.agent("eu-1"), plane.agent("eu-2")
    await host.sync()
    await host.sync(host.fires(trigger_id, 1))
    thief.source = host.source
    response = await thief.post(thief.says(host.fires(trigger_id, 2)))
    assert Refusal.model_validate_json(response.content).error is Code.CONFLICT
    assert plane.asset_events() == [1]


async def test_what_a_triggerer_may_ask_about_a_task_goes_by_its_triggers(plane: Plane) -> None:
    _, ti_id = plane.deferral()
    _, other_ti = plane.deferral(queue="other")
    host, other = plane.agent("eu-1"), plane.agent("eu-2")
    await host.sync()
    await other.sync()
    with create_session() as db:
        assert service.trigger_of_task_instance(db, host.session_id, ti_id)
        assert not service.trigger_of_task_instance(db, host.session_id, other_ti)
        assert not service.trigger_of_task_instance(db, other.session_id, ti_id)
