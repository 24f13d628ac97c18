"""Triggers go to another host when theirs is gone, and are never stopped as if a person had ended them."""

from __future__ import annotations

from uuid import uuid4

from tradewind_provider.domain.agents import SessionEnd

from .conftest import Plane


async def test_triggers_of_a_lost_session_go_to_another_host_at_once(plane: Plane) -> None:
    wanted = {plane.deferral()[0], plane.watched_asset(), plane.deadline_callback()[0]}
    first, second = plane.agent("eu-1"), plane.agent("eu-2")
    assert {one.id for one in (await first.sync()).create} == wanted
    assert (await second.sync()).create == ()
    plane.ends(first)
    assert {one.id for one in (await second.sync()).create} == wanted
    ended = [job for job in plane.jobs() if job.end_date is not None]
    assert [job.hostname for job in ended] == ["eu-1.invalid"]


async def test_a_callback_is_not_taken_from_a_host_that_is_alive(plane: Plane) -> None:
    trigger_id, _ = plane.deadline_callback()
    first, second = plane.agent("eu-1"), plane.agent("eu-2")
    await first.sync()
    owner = plane.owner(trigger_id)
    assert (await second.sync()).create == ()
    assert plane.owner(trigger_id) == owner


async def test_a_host_that_comes_back_late_is_told_that_its_trigger_moved(plane: Plane) -> None:
    agent_id = uuid4()
    trigger_id, _ = plane.deferral()
    first, second = plane.agent("eu-1", agent_id=agent_id), plane.agent("eu-2")
    await first.sync()
    plane.ends(first)
    await second.sync()
    back = plane.agent("eu-1", agent_id=agent_id)
    back.source, back.running = first.source, {trigger_id}
    answer = await back.sync()
    assert (answer.moved, answer.cancel) == ((trigger_id,), ())


async def test_a_host_that_comes_back_in_time_goes_on_with_what_it_runs(plane: Plane) -> None:
    agent_id = uuid4()
    trigger_id = plane.watched_asset()
    first = plane.agent("eu-1", agent_id=agent_id)
    await first.sync()
    plane.ends(first, SessionEnd.LOST)
    back = plane.agent("eu-1", agent_id=agent_id)
    back.source, back.running = first.source, {trigger_id}
    # what fired meanwhile counts, even when it is delivered before anything else
    answer = await back.sync(back.fires(trigger_id, "while away"))
    assert answer.refused == ()
    assert (answer.create, answer.cancel, answer.moved) == ((), (), ())
    assert plane.asset_events() == ["while away"]


async def test_a_host_that_hangs_while_its_agent_lives_loses_its_triggers_after_the_threshold(
    plane: Plane,
) -> None:
    plane.clock.pass_by(-1000)
    plane.restart()  # the threshold counts from here
    trigger_id, _ = plane.deferral()
    first, second = plane.agent("eu-1"), plane.agent("eu-2")
    await first.sync()
    await second.sync()
    plane.clock.pass_by(70)
    await first.sync(working=False)
    assert (await second.sync()).create == ()
    plane.clock.pass_by(10)
    await first.sync(working=False)
    assert [one.id for one in (await second.sync()).create] == [trigger_id]
    assert (await first.sync(working=False)).moved == (trigger_id,)


async def test_a_plane_that_was_away_itself_gives_everybody_time_to_come_back(plane: Plane) -> None:
    trigger_id, _ = plane.deferral()
    first, second = plane.agent("eu-1"), plane.agent("eu-2")
    await first.sync()
    owner = plane.owner(trigger_id)
    plane.clock.pass_by(3600)
    plane.restart()
    first.http = second.http = plane.http
    assert (await second.sync()).create == ()
    assert (await first.sync()).moved == ()
    assert plane.owner(trigger_id) == owner


async def test_a_host_that_is_stopped_and_started_again_gets_its_triggers_back(plane: Plane) -> None:
    trigger_id, _ = plane.deferral()
    host = plane.agent()
    await host.sync()
    host.source, host.running, host.seq = uuid4(), set(), 0
    assert [one.id for one in (await host.sync()).create] == [trigger_id]


async def test_an_ended_session_gets_no_triggers(plane: Plane) -> None:
    host = plane.agent()
    await host.sync()
    plane.ends(host, SessionEnd.GOODBYE)
    response = await host.post(host.says())
    assert response.status_code == 401
