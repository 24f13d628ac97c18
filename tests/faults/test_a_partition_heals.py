"""An agent that was given up comes back: its old attempts are fenced, and what they say changes nothing."""

from __future__ import annotations

import signal
import time

from faults.fleet import Fleet, in_full
from faults.processes import signal_family
from support.journal import at_once
from support.network import Proxy
from support.patience import eventually
from support.proc import is_alive


def test_attempts_of_an_agent_that_slept_are_fenced_when_it_wakes(fleet: Fleet) -> None:
    sleeper = fleet.agent("sleeper")
    run_id = fleet.start("again_4", seconds=40)
    first = fleet.journal.wait_for_spans(4, timeout=30, run=run_id)
    fleet.agent("heir")
    signal_family(sleeper, signal.SIGSTOP)
    fleet.journal.wait_for_spans(4, timeout=40, run=run_id, agent="heir", attempt=2)
    woken = time.time()
    signal_family(sleeper, signal.SIGCONT)
    eventually(
        lambda: not any(is_alive(span.pid) for span in first), timeout=20, what="the old user code is stopped"
    )
    stopped = time.time()
    assert stopped - woken < 15
    assert fleet.finished("again_4", run_id).state == "success"
    spans = fleet.spans(run_id)
    assert {span.end for span in spans if span.agent == "sleeper"} == {None}
    assert set(fleet.tries(run_id).values()) == {(2, "success")}
    # from the moment the old ones were stopped there was one of each
    assert not at_once(span for span in spans if span.last > stopped)
    fleet.slots_are_back("sleeper")


@in_full
def test_an_outcome_that_comes_after_the_agent_was_given_up_changes_nothing(
    fleet: Fleet, proxy: Proxy
) -> None:
    fleet.agent("heir")
    fleet.ask("heir", "cordon")  # it is there, and the first try goes to the other one
    cut_off = fleet.agent("cut-off", url=proxy.url)
    run_id = fleet.start("again_1", seconds=6)
    (first,) = fleet.journal.wait_for_spans(1, timeout=30, run=run_id)
    proxy.cut()
    fleet.ask("heir", "resume")
    fleet.journal.wait_for_spans(1, timeout=40, run=run_id, agent="heir", attempt=2)
    fleet.journal.wait_for_spans(
        1, timeout=20, ended=True, run=run_id, agent="cut-off"
    )  # ended well, cut off
    proxy.heal()
    run = fleet.finished("again_1", run_id)
    assert (run.state, run.tries[("work", 0)]) == ("success", 2)
    assert [row.outcome for row in fleet.attempts(run_id)] == ["lost", "succeeded"]
    fleet.slots_are_back("cut-off")
    assert cut_off.process.running
