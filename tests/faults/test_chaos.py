"""Processes of plane and agents die at random under load, for as long as one likes.

make test-faults ARGS="-k chaos"                          90 seconds of it
TRADEWIND_TEST_CHAOS=600 TRADEWIND_TEST_SEED=3 make test-faults ARGS="-k chaos"
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from faults.fleet import Fleet, in_full
from faults.processes import family, kill, kill_all, send, signal_family
from support.journal import at_once
from support.patience import eventually
from tradewind.embedded.agent import Agent

SECONDS = float(os.environ.get("TRADEWIND_TEST_CHAOS", "90"))
SEED = int(os.environ.get("TRADEWIND_TEST_SEED", "7"))
TASKS = 200


class Chaos:
    """One misfortune after the other, the same ones for the same seed."""

    def __init__(self, fleet: Fleet, agents: list[Agent], seed: int) -> None:
        self.fleet, self.agents, self.dice = fleet, agents, random.Random(seed)
        self.did: list[str] = []

    def strike(self) -> None:
        deeds: list[Callable[[], None]] = [
            self.agent_alone,
            self.machine,
            self.host,
            self.attempt,
            self.nap,
            self.api_server,
            self.scheduler,
        ]
        deed = self.dice.choice(deeds)
        self.did.append(deed.__name__)
        deed()

    def agent_alone(self) -> None:
        victim = self.dice.choice(self.agents)
        victim.process.signal(signal.SIGKILL)
        victim.process.wait(10)
        time.sleep(self.dice.uniform(0, 3))
        victim.process.start()

    def machine(self) -> None:
        victim = self.dice.choice(self.agents)
        kill_all(victim)
        time.sleep(self.dice.uniform(0, 3))
        victim.process.start()

    def host(self) -> None:
        self._one_of(1, 2)

    def attempt(self) -> None:
        self._one_of(2, 99)

    def _one_of(self, first: int, last: int) -> None:
        """Kill one of the processes that are so many steps below an agent."""
        pid = self.dice.choice(self.agents).process.pid
        fitting = [one for one in family(pid) if first <= depth(one, pid) < last]
        if fitting:
            send([self.dice.choice(fitting)], signal.SIGKILL)

    def nap(self) -> None:
        """Shorter than the lost interval."""
        victim = self.dice.choice(self.agents)
        signal_family(victim, signal.SIGSTOP)
        time.sleep(self.dice.uniform(0.5, 4))
        signal_family(victim, signal.SIGCONT)

    def api_server(self) -> None:
        self._of_the_plane(self.fleet.plane.api_servers)

    def scheduler(self) -> None:
        self._of_the_plane(self.fleet.plane.schedulers)

    def _of_the_plane(self, processes: list) -> None:  # type: ignore[type-arg]
        victim = self.dice.choice(processes)
        kill(victim)
        time.sleep(self.dice.uniform(0, 2))
        victim.start()
        self.fleet.plane.wait_ready()


def depth(process: psutil.Process, root: int) -> int:
    steps = 0
    try:
        while process is not None and process.pid != root:
            process, steps = process.parent(), steps + 1
    except psutil.NoSuchProcess:
        return 0
    return steps


@in_full
@pytest.mark.timeout(SECONDS + 900)
def test_chaos_loses_nothing_and_runs_nothing_twice_at_once(fleet: Fleet) -> None:
    agents = [fleet.agent(name, slots=8) for name in ("one", "two")]
    chaos, runs = Chaos(fleet, agents, SEED), []
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if len(runs) < 1 + len(chaos.did) // 10:
            runs.append(fleet.start(f"often_{TASKS}", seconds=0.5))
        chaos.strike()
        time.sleep(chaos.dice.uniform(1, 6))
    print(f"seed {SEED}: {chaos.did}")
    for run_id in runs:
        run = fleet.finished(f"often_{TASKS}", run_id, timeout=400)
        assert run.state == "success", f"{chaos.did}: {fleet.tries(run_id)}"
        judge(fleet, run_id)
    eventually(lambda: not fleet.live(), timeout=60, what=lambda: f"nothing is live, not {fleet.live()}")
    for name in ("one", "two"):
        fleet.slots_are_back(name, 8, timeout=60)


def judge(fleet: Fleet, run_id: str) -> None:
    spans = fleet.spans(run_id)
    assert not at_once(spans)
    tries = fleet.tries(run_id)
    assert len(tries) == TASKS
    for subject, (used, state) in tries.items():
        mine = [span for span in spans if (span.task, span.map_index) == subject]
        assert state == "success"
        assert any(span.end is not None for span in mine), (
            f"{subject} succeeded and never came to its last line"
        )
        assert len({span.attempt for span in mine}) == len(mine), f"{subject} ran twice in one try: {mine}"
        assert len(mine) <= used
