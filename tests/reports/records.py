"""How the runs of a scenario went, as far as the two sides can be compared."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reports.scenarios import Scenario
from support.airflow_rest import ENDED, AirflowRest

MOST_LINES = 60_000


@dataclass(frozen=True)
class Try:
    """One try of a task instance, as its log tells it."""

    lines: Counter[str]
    tail: Sequence[str]  # the last lines as they came, for a person


@dataclass(frozen=True)
class TaskInstance:
    """A task instance as it ended."""

    state: str | None
    tries: int
    label: str | None  # of a mapped task
    rendered: Mapping[str, Any]
    logs: Mapping[int, Try]
    ran: bool = True  # whether a process ran its last try: an EmptyOperator's task ends where it is scheduled


@dataclass(frozen=True)
class Record:
    """Everything of one scenario on one side."""

    runs: Mapping[str, Sequence[str]]  # Dag id → states, oldest first
    tasks: Mapping[str, TaskInstance]  # "<dag>/<run number>/<task>[<map index>]" → how it ended
    seen: Counter[str]  # what user code wrote down
    problem: str = ""  # what the play ended with


@dataclass(frozen=True)
class Places:
    """Names of one side that the text of a log may have: each is replaced by what it stands for."""

    names: Mapping[str, str]

    def neutral(self, text: str) -> str:
        for name, stands_for in sorted(self.names.items(), key=lambda pair: -len(pair[0])):
            text = text.replace(name, stands_for)
        for pattern, stands_for in _CHANGING:
            text = pattern.sub(stands_for, text)
        return text


_CHANGING = [
    # Dates of the Dags' own, early in 2026, stay.
    (re.compile(r"(?!2026-0[123])\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?"), "<time>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"__<time>_\w{8}\b"), "__<time>"),
    (re.compile(r"0x[0-9a-f]{6,}"), "<address>"),
    (re.compile(r"\(ID \d+\)"), "(ID <id>)"),
    (re.compile(r"/tmp/(airflowtmp|venv|tmp)[\w-]+"), "<tmp>"),
    (re.compile(r"/[\w/.-]*/build/environments/[\w-]+"), "<environment>"),
    # The task SDK brings a copy of what it shares with Airflow's core; which of the two speaks depends on the backend.
    (re.compile(r"airflow\.sdk\._shared"), "airflow._shared"),
    (re.compile(r"\bpid[=: ]+\d+", re.I), "pid <pid>"),
    (re.compile(r"\b\d+\.\d+ ?s(econds)?\b"), "<duration>"),
    (re.compile(r"(Elapsed|duration)[=: ]+[\d.]+"), "<duration>"),
]


def record(
    rest: AirflowRest, scenario: Scenario, journal: Path, places: Places, *, problem: str = ""
) -> Record:
    """Read how every run of the scenario's Dags went."""
    runs: dict[str, Sequence[str]] = {}
    tasks: dict[str, TaskInstance] = {}
    for dag_id in scenario.ends:
        found = rest.pages(f"/dags/{dag_id}/dagRuns", "dag_runs", order_by="run_after")
        runs[dag_id] = [run["state"] for run in found]
        for number, run in enumerate(found, start=1):
            for ti in rest.task_instances(dag_id, run["dag_run_id"]):
                key = f"{dag_id}/{number}/{ti['task_id']}[{ti['map_index']}]"
                tasks[key] = _task_instance(rest, ti, places)
    return Record(runs, tasks, _seen(journal, scenario, places), problem)


def of_none(scenario: Scenario, problem: str) -> Record:
    """The record of a scenario none of whose Dags could be run."""
    return Record(dict.fromkeys(scenario.ends, ()), {}, Counter(), problem)


def runs_by_dag(rest: AirflowRest) -> Mapping[str, Sequence[str]]:
    """Dag id → states of its runs, of all Dags at once: asking for each would keep an API server busy."""
    found: dict[str, list[str]] = {}
    for run in rest.pages("/dags/~/dagRuns", "dag_runs", order_by="id"):
        found.setdefault(run["dag_id"], []).append(run["state"])
    return found


def ended(scenario: Scenario, runs: Mapping[str, Sequence[str]]) -> bool:
    """Whether each Dag has as many runs as the scenario says, and all have ended."""
    return all(
        len(runs.get(dag_id, ())) >= len(states) and ENDED.issuperset(runs.get(dag_id, ()))
        for dag_id, states in scenario.ends.items()
    )


def entries(journal: Path) -> list[dict[str, Any]]:
    """What was written down so far."""
    if not journal.exists():
        return []
    return [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]


def _seen(journal: Path, scenario: Scenario, places: Places) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in entries(journal):
        if entry["dag"] not in scenario.ends:
            continue
        where = f"{entry['dag']}.{entry.get('task')}[{entry.get('map')}] try {entry.get('try')}"
        for name, value in (entry["facts"] or {"": ""}).items():
            found[f"{where} {entry['event']}: {name}={places.neutral(value)}"] += 1
    return found


def _task_instance(rest: AirflowRest, ti: Mapping[str, Any], places: Places) -> TaskInstance:
    logs = {number: _log(rest, ti, number, places) for number in range(1, ti["try_number"] + 1)}
    return TaskInstance(
        state=ti["state"],
        tries=ti["try_number"],
        label=ti["rendered_map_index"],
        rendered=json.loads(places.neutral(json.dumps(ti["rendered_fields"], default=str))),
        logs=logs,
        ran=bool(ti["hostname"]),
    )


def _log(rest: AirflowRest, ti: Mapping[str, Any], number: int, places: Places) -> Try:
    path = f"/dags/{ti['dag_id']}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/logs/{number}"
    answer = rest.http.get(f"/api/v2{path}", params={"map_index": ti["map_index"], "full_content": True})
    if answer.is_error:
        return Try(Counter({f"the log cannot be read: {answer.status_code}": 1}), [answer.text[:500]])
    content = answer.json()["content"]
    lines = [as_line(each, places) for each in _without_sources(content)[:MOST_LINES]]
    return Try(Counter(lines), lines[-40:])


def _without_sources(content: Sequence[Any]) -> Sequence[Any]:
    """The first lines say where the log lies, which is another place on each side."""
    events = [line.get("event") if isinstance(line, Mapping) else line for line in content[:20]]
    if events and str(events[0]).startswith("::group::Log message source details"):
        return content[events.index("::endgroup::") + 1 :]
    return content


_NOT_COMPARED = frozenset(
    # what is compared otherwise; places in Airflow's files; times; all of a task instance, with its host and pid
    {"timestamp", "event", "level", "logger", "error_detail", "loc", "lineno", "filename"}
    | {"bundle_prepare_ms", "dag_file_parse_ms", "ti"}
)


def as_line(line: Any, places: Places) -> str:
    """A line of a log as one text: level, logger, words, everything said beside them, and the traceback."""
    if not isinstance(line, Mapping):
        return places.neutral(str(line))
    said = [str(line.get("level") or "-"), str(line.get("logger") or "-"), str(line.get("event"))]
    others = sorted(line.keys() - _NOT_COMPARED)
    said += [f"{name}={line[name]}" for name in others]
    for error in line.get("error_detail") or ():
        frames = [
            f"{Path(each['filename']).name}:{each['name']}"
            for each in error.get("frames") or ()
            if "/tradewind_runtime/" not in each["filename"]  # how a task gets to its work
        ]
        said.append(f"{error.get('exc_type')}({error.get('exc_value')}) at {' > '.join(frames)}")
    return places.neutral(" | ".join(said))
