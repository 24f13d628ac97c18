"""The network between agent and plane misbehaves: tasks go on, outcomes arrive once, nothing new starts meanwhile."""

from __future__ import annotations

import time

import pytest

from faults.fleet import Fleet, in_full
from support import network
from support.journal import at_once, ran_once
from support.network import Proxy
from support.patience import eventually


@in_full
@pytest.mark.parametrize("how", ["cut", "stall"])
def test_tasks_outlive_a_network_that_is_away_shorter_than_the_lost_interval(
    fleet: Fleet, proxy: Proxy, how: str
) -> None:
    fleet.agent("remote", url=proxy.url)
    run_id = fleet.start("work_4", seconds=6)
    fleet.journal.wait_for_spans(4, timeout=30, run=run_id)
    getattr(proxy, how)()
    time.sleep(4)
    proxy.heal()
    assert fleet.finished("work_4", run_id).state == "success"
    ran_once(fleet.spans(run_id), 4)
    assert {row.outcome for row in fleet.attempts(run_id)} == {"succeeded"}


def test_tasks_that_end_while_the_network_is_away_are_reported_once_it_is_back(
    fleet: Fleet, proxy: Proxy
) -> None:
    """The queue waits for its agent (`on_agent_loss = wait`), so an outage longer than the lost interval costs nothing."""
    fleet.agent("remote", url=proxy.url)
    run_id = fleet.start("patient_4", seconds=4)
    fleet.journal.wait_for_spans(4, timeout=30, run=run_id)
    proxy.cut()
    fleet.journal.wait_for_spans(4, timeout=30, ended=True, run=run_id)
    waiting = fleet.start("work_1", seconds=0)
    time.sleep(10)  # longer than the lost interval
    assert not fleet.spans(waiting), "nothing new starts while the plane is away"
    assert {state for _, state in fleet.tries(run_id).values()} == {"running"}
    proxy.heal()
    assert fleet.finished("patient_4", run_id).state == "success"
    ran_once(fleet.spans(run_id), 4)
    assert fleet.finished("work_1", waiting).state == "success"
    fleet.slots_are_back("remote")


@pytest.mark.parametrize(
    "verb",
    [
        b"/run HTTP",
        b"/state HTTP",
        *(pytest.param(verb, marks=in_full) for verb in (b"/finish HTTP", b"/poll HTTP", b"/sessions HTTP")),
    ],
)
def test_answers_lost_after_the_plane_acted_change_nothing(fleet: Fleet, proxy: Proxy, verb: bytes) -> None:
    proxy.lose_answers(verb, times=3)
    fleet.agent("remote", url=proxy.url)
    run_id = fleet.start("work_4", seconds=1)
    assert fleet.finished("work_4", run_id).state == "success"
    ran_once(fleet.spans(run_id), 4)
    # a run ends for its users before its last attempt is finished with
    eventually(lambda: proxy.lost_answers == 3, timeout=60, what="three answers are lost")
    fleet.slots_are_back("remote")
    eventually(lambda: not fleet.live(), timeout=60, what="no attempt is open")


def test_a_proxy_that_drops_idle_connections_costs_nothing(fleet: Fleet, proxy: Proxy) -> None:
    proxy.weather.idle = 1.0  # half of the scaled poll: every held poll is cut
    fleet.agent("remote", url=proxy.url)
    run_id = fleet.start("chain", seconds=1)
    assert fleet.finished("chain", run_id).state == "success"
    ran_once(fleet.spans(run_id), 8)
    (session,) = fleet.sessions("remote")
    assert session.ended_at is None


@in_full
def test_a_slow_and_lossy_network_costs_time_and_nothing_else(fleet: Fleet, proxy: Proxy) -> None:
    proxy.weather.delay, proxy.weather.cut_share = 1.0, 0.1
    fleet.agent("remote", url=proxy.url)
    run_id = fleet.start("work_20", seconds=1)
    assert fleet.finished("work_20", run_id, timeout=200).state == "success"
    ran_once(fleet.spans(run_id), 20)
    proxy.heal()
    fleet.slots_are_back("remote")


@in_full
@pytest.mark.skipif(
    not network.namespaces_available(), reason="network namespaces need root and a kernel with veth"
)
def test_a_pulled_cable_shorter_than_the_lost_interval_costs_nothing(fleet: Fleet) -> None:
    with (
        network.Namespace() as place,
        network.Proxy(("127.0.0.1", fleet.plane.ports[0]), host=place.outside) as proxy,
    ):
        fleet.agent("remote", url=proxy.url, prefix=place.command())
        run_id = fleet.start("patient_4", seconds=6)
        fleet.journal.wait_for_spans(4, timeout=30, run=run_id)
        place.unplug()
        time.sleep(20)
        assert {state for _, state in fleet.tries(run_id).values()} == {"running"}
        place.plug()
        assert fleet.finished("patient_4", run_id).state == "success"
        ran_once(fleet.spans(run_id), 4)
        again = fleet.start("patient_4", seconds=0)
        assert fleet.finished("patient_4", again).state == "success"


@in_full
def test_a_network_away_for_longer_than_the_lost_interval_ends_the_tasks(fleet: Fleet, proxy: Proxy) -> None:
    fleet.agent("remote", url=proxy.url)
    run_id = fleet.start("work_1", seconds=60)
    (span,) = fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    proxy.cut()
    assert fleet.finished("work_1", run_id, timeout=40).state == "failed"
    assert any("has sent no poll" in reason for reason in fleet.reasons(run_id))
    proxy.heal()
    eventually(
        lambda: time.time() - fleet.spans(run_id)[0].last > 2, timeout=30, what="the old user code is stopped"
    )
    assert fleet.spans(run_id)[0].end is None
    assert not at_once(fleet.spans(run_id))
