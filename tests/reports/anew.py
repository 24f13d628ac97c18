"""LocalExecutor is run anew where it was at fault itself: no more often than is said here, and each time is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from reports import comparing
from reports.records import Record
from reports.scenarios import Scenario

MOST = 3
"""Times that a scenario is run under LocalExecutor at most."""


def under_local_executor(
    run: Callable[[int, Sequence[Scenario]], Mapping[str, Record]], chosen: Sequence[Scenario]
) -> tuple[Mapping[str, Record], Sequence[str]]:
    """The last record of each scenario, and a line for each that was at fault, with the round and what shows it.

    A record of an agent is never made anew, and a difference is no reason to. A fault of LocalExecutor is an end that
    the scenario does not state, or a try that ended before it had read its Dag.
    """
    found: dict[str, Record] = {}
    told: list[str] = []
    left = chosen
    for number in range(1, MOST + 1):
        found |= run(number, left)
        faults = {each.name: comparing.faults_of_local_executor(each, found[each.name]) for each in left}
        told += [f"{name}, round {number}: {said}" for name, all_said in faults.items() for said in all_said]
        left = [each for each in left if faults[each.name]]
        if not left:
            break
    return found, told
