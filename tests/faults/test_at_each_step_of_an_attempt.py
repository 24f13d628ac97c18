"""Every step of an attempt's life, and at each of them its agent is killed, falls asleep, or is cut off."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from faults.fleet import GRANT, Fleet, in_full
from faults.processes import kill_all, signal_family
from support.journal import at_once
from support.network import Proxy
from support.patience import eventually
from support.proc import is_alive
from tradewind.embedded.agent import Agent


@dataclass(frozen=True)
class Step:
    """How an attempt is held at a step, how one sees that it is there, and what a lost agent costs then."""

    name: str
    weather: Callable[[Proxy], None]
    reached: Callable[[Fleet, str], bool]
    tries: int  # of the task instance, at the end
    doomed_ran: bool  # user code ran on the agent that is lost


def swallow(verb: bytes) -> Callable[[Proxy], None]:
    def set_weather(proxy: Proxy) -> None:
        proxy.weather.swallow = verb

    return set_weather


def state(fleet: Fleet, run_id: str) -> str:
    return "".join(row.state for row in fleet.attempts(run_id))


def ended(fleet: Fleet, run_id: str) -> bool:
    return any(span.end is not None for span in fleet.spans(run_id))


STEPS = (
    Step("offered", swallow(GRANT), lambda f, run: state(f, run) == "offered", 1, False),
    Step(
        "confirmed",
        lambda proxy: proxy.lose_answers(GRANT, times=1000),
        lambda f, run: state(f, run) == "running",
        2,
        False,
    ),
    Step("running", lambda proxy: None, lambda f, run: bool(f.spans(run)), 2, True),
    Step("finishing", swallow(b"/state HTTP"), ended, 2, True),
    Step(
        "reported",
        swallow(b"/finish HTTP"),
        lambda f, run: f.tries(run)[("work", 0)] == (1, "success"),
        1,
        True,
    ),
)


@in_full
@pytest.mark.parametrize("fault", ["killed", "asleep", "cut off"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_an_agent_that_goes_away_at_any_step_costs_what_its_step_says(
    fleet: Fleet, proxy: Proxy, step: Step, fault: str
) -> None:
    """What was not granted costs nothing, what may have run costs one try, what was reported stays as it was reported."""
    fleet.agent("heir")
    fleet.ask("heir", "cordon")
    doomed = fleet.agent("doomed", url=proxy.url)
    step.weather(proxy)
    run_id = fleet.start("again_1", seconds=20 if step.name == "running" else 1)
    eventually(
        lambda: step.reached(fleet, run_id), timeout=60, what=lambda: f"{step.name}: {state(fleet, run_id)}"
    )

    go_away(doomed, proxy, fault)
    eventually(lambda: given_up(fleet), timeout=40, what="the agent is given up")
    fleet.ask("heir", "resume")
    if step.tries == 2 or not step.doomed_ran:
        fleet.journal.wait_for_spans(1, timeout=60, run=run_id, agent="heir", attempt=step.tries)
    come_back(doomed, proxy, fault)

    assert fleet.finished("again_1", run_id).state == "success"
    assert fleet.tries(run_id) == {("work", 0): (step.tries, "success")}
    spans = fleet.spans(run_id)
    by_agent = {name: [span for span in spans if span.agent == name] for name in ("doomed", "heir")}
    assert len(by_agent["doomed"]) == int(step.doomed_ran)
    assert len(by_agent["heir"]) == (0 if step.name == "reported" else 1)
    if fault == "killed":  # one that sleeps or is cut off works on until it hears that it was given up
        assert not at_once(spans)
    eventually(lambda: not fleet.live(), timeout=30, what=lambda: f"nothing is live, not {fleet.live()}")
    if fault != "killed":
        eventually(
            lambda: not any(is_alive(span.pid) for span in by_agent["doomed"]),
            timeout=20,
            what="old user code is gone",
        )
        fleet.slots_are_back("doomed", timeout=60)


def go_away(doomed: Agent, proxy: Proxy, fault: str) -> None:
    if fault == "killed":
        kill_all(doomed)
    elif fault == "asleep":
        signal_family(doomed, signal.SIGSTOP)
    else:
        proxy.cut()


def come_back(doomed: Agent, proxy: Proxy, fault: str) -> None:
    proxy.heal()
    if fault == "asleep":
        signal_family(doomed, signal.SIGCONT)


def given_up(fleet: Fleet) -> bool:
    return bool(fleet.sessions("doomed")[0].ended_how)
