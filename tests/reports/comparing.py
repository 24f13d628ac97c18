"""Where two records of a scenario differ. Each difference is one line that begins with its kind and its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from reports.records import Record, TaskInstance
from reports.scenarios import Scenario

SHOWN = 500
"""Characters of a difference that are shown and compared with patterns."""

READ = "Worker startup parse complete"
"""What the log of each try has once it has read its Dag."""


def wrong_ends(scenario: Scenario, record: Record, *, local: bool) -> list[str]:
    """Runs that did not end as the scenario says, and lines that a log has to have and has not."""
    said = [f"play: {record.problem}"] if record.problem else []
    for dag_id, states in scenario.ends.items():
        expected = scenario.ends_locally.get(dag_id, states) if local else states
        if tuple(record.runs[dag_id]) != tuple(expected):
            said.append(f"end {dag_id}: {', '.join(record.runs[dag_id])}, not {', '.join(expected)}")
    return said + missing_lines(scenario, record)


def faults_of_local_executor(scenario: Scenario, record: Record) -> list[str]:
    """What LocalExecutor did that the scenario does not state, or that no code of a Dag can have done."""
    return wrong_ends(scenario, record, local=True) + lost_tries(record)


def lost_tries(record: Record) -> list[str]:
    """Tries that ended before they had read their Dag, with the last words of their logs: the side lost them."""
    return [
        f"lost {key} try {number}: {log.tail[-1] if log.tail else 'no log'}"[:SHOWN]
        for key, instance in record.tasks.items()
        for number, log in instance.logs.items()
        if not any(READ in line for line in log.lines) and not _ended_without_a_process(instance, number)
    ]


def _ended_without_a_process(instance: TaskInstance, number: int) -> bool:
    """Whether the try is one that a scheduler ended as it should: there is nothing that could have been lost."""
    return number == instance.tries and not instance.ran and instance.state in ("success", "skipped")


def missing_lines(scenario: Scenario, record: Record) -> list[str]:
    """Words that the log of a task has to have somewhere, and has not."""
    said = []
    for place, words in scenario.lines.items():
        dag_id, task_id = place.split("/")
        lines = [
            line
            for key, instance in record.tasks.items()
            if key.startswith(f"{dag_id}/") and f"/{task_id}[" in key
            for each in instance.logs.values()
            for line in each.lines
        ]
        said += [
            f"line {place}: nowhere {word!r}" for word in words if not any(word in line for line in lines)
        ]
    return said


def differences(scenario: Scenario, local: Record, remote: Record, *, templates: bool) -> list[str]:
    """Where they differ, apart from what the scenario states."""
    found = [each[:SHOWN] for each in _differences(local, remote, templates=templates)]
    return [each for each in found if not scenario.expected(each, strict=not templates)]


def _differences(local: Record, remote: Record, *, templates: bool) -> Iterator[str]:
    for dag_id in sorted(local.runs.keys() | remote.runs.keys()):
        one, other = local.runs.get(dag_id, ()), remote.runs.get(dag_id, ())
        if list(one) != list(other):
            yield f"run {dag_id}: {', '.join(one)}; on an agent {', '.join(other)}"
    for key in sorted(local.tasks.keys() | remote.tasks.keys()):
        first, second = local.tasks.get(key), remote.tasks.get(key)
        if first is None or second is None:
            yield f"task {key}: is only {'on an agent' if first is None else 'under LocalExecutor'}"
        else:
            yield from _of_task(key, first, second, templates=templates)
    yield from _of_counts("seen", local.seen, remote.seen)


def _of_task(key: str, one: TaskInstance, other: TaskInstance, *, templates: bool) -> Iterator[str]:
    if one.state != other.state:
        yield f"state {key}: {one.state}; on an agent {other.state}"
    if one.tries != other.tries:
        yield f"tries {key}: {one.tries}; on an agent {other.tries}"
    if one.label != other.label:
        yield f"label {key}: {one.label}; on an agent {other.label}"
    if templates and one.rendered != other.rendered:
        yield f"rendered {key}: {one.rendered}; on an agent {other.rendered}"
    if not templates and one.rendered.keys() != other.rendered.keys():
        yield f"rendered {key}: {sorted(one.rendered)}; on an agent {sorted(other.rendered)}"
    for number in sorted(one.logs.keys() & other.logs.keys()):
        yield from _of_counts(f"log {key} try {number}", one.logs[number].lines, other.logs[number].lines)


def _of_counts(kind: str, one: Counter[str], other: Counter[str]) -> Iterator[str]:
    for line, count in sorted((one - other).items()):
        yield f"{kind}: only under LocalExecutor{_times(count)}: {line}"
    for line, count in sorted((other - one).items()):
        yield f"{kind}: only on an agent{_times(count)}: {line}"


def _times(count: int) -> str:
    return "" if count == 1 else f" {count} times"
