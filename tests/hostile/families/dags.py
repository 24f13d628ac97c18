"""Serialized Dags: every field that Airflow's own schema has, with values that no parse would give, reported for a site's bundle.

An attempt is held off when the Dag is refused, or when a run of what was stored can be made as the scheduler makes it and
every value of it fits its column.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import airflow
import httpx

from tradewind_protocol import dags, paths

from ..attempts import Act, Attempt
from ..dags import made_run, rich_dag
from ..sites import headers
from ..world import World

FAMILY: Final = "Dags"
BUNDLE: Final = "attackers"

SCHEMA: Final[dict[str, Any]] = json.loads(
    (Path(airflow.__file__).parent / "serialization" / "schema.json").read_text()
)["definitions"]

MISSING: Final = object()
VALUES: Final[dict[str, Any]] = {
    "2^40": 2**40,
    "70 kB of text": "x" * 70_000,
    "a NUL": "a\0b",
    "-1": -1,
    "an object of a class": {"__type": "os.system", "__var": {"command": "id"}},
    "1e300": 1e300,
    "nothing": MISSING,
    "null": None,
    "a list": [[["x"]]],
    "2^80": 2**80,
    "an object of a serialized class": {"__classname__": "subprocess.Popen", "__version__": 0, "__data__": {"args": "id"}},
    "yes": True,
    "0": 0,
}  # fmt: skip
EACH: Final = len(VALUES) if os.environ.get("TRADEWIND_TEST_HOSTILE") == "all" else 2

Change = Callable[[dict[str, Any]], None]


def _put(inside: Callable[[dict[str, Any]], dict[str, Any]], name: str, value: Any) -> Change:
    def change(dag: dict[str, Any]) -> None:
        at = inside(dag)
        if value is MISSING:
            at.pop(name, None)
        else:
            at[name] = copy.deepcopy(value)

    return change


def _task(number: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda dag: dag["tasks"][number]["__var"]


def _mapped(dag: dict[str, Any]) -> dict[str, Any]:
    return next(task["__var"] for task in dag["tasks"] if task["__var"].get("_is_mapped"))


def _fields() -> Iterator[tuple[str, Callable[[dict[str, Any]], dict[str, Any]], str]]:
    for name in SCHEMA["dag"]["properties"]:
        if name not in ("dag_id", "relative_fileloc"):
            yield f"dag.{name}", lambda dag: dag, name
    for name in SCHEMA["operator"]["properties"]:
        yield f"task.{name}", _task(0), name
    for name in ("pool", "queue", "retries", "pool_slots", "priority_weight", "task_type", "partial_kwargs"):
        yield f"mapped task.{name}", _mapped, name
    for name in ("queue", "retries", "pool_slots", "executor", "priority_weight", "trigger_rule"):
        yield f"mapped task.partial_kwargs.{name}", lambda dag: _mapped(dag)["partial_kwargs"], name
    for name in ("__type", "__var"):
        yield f"timetable.{name}", lambda dag: dag["timetable"], name
    for name in SCHEMA["task_group"]["properties"]:
        yield f"task_group.{name}", lambda dag: dag["task_group"], name


DELTA: Final = "airflow.timetables.interval.DeltaDataIntervalTimetable"
CRON: Final = "airflow.timetables.interval.CronDataIntervalTimetable"
TRIGGER: Final = "airflow.timetables.trigger.CronTriggerTimetable"
SEVERAL: Final = "airflow.timetables.trigger.MultipleCronTriggerTimetable"
EVENTS: Final = "airflow.timetables.events.EventsTimetable"
TIMETABLES: Final[dict[str, tuple[str, Any]]] = {
    "an interval of nothing": (DELTA, {"delta": 0.0}),
    "an interval backwards": (DELTA, {"delta": -86400.0}),
    "an interval of a microsecond": (DELTA, {"delta": 1e-6}),
    "an interval of a thousand years": (DELTA, {"delta": 3.2e10}),
    "an endless interval": (DELTA, {"delta": 1e300}),
    "an interval of a text": (DELTA, {"delta": "x"}),
    "a relative interval of nothing": (DELTA, {"delta": {"days": 0}}),
    "a cron expression that never comes": (CRON, {"expression": "0 0 30 2 *", "timezone": "UTC"}),
    "a cron expression of 10,000 parts": (CRON, {"expression": ",".join("0" for _ in range(10_000)) + " * * * *", "timezone": "UTC"}),
    "a cron expression of each second": (TRIGGER, {"expression": "* * * * * *", "timezone": "UTC", "interval": 0.0}),
    "a cron expression that is none": (CRON, {"expression": "x", "timezone": "UTC"}),
    "a time zone that is a path": (CRON, {"expression": "@daily", "timezone": "../../etc/passwd"}),
    "a trigger's interval backwards": (TRIGGER, {"expression": "@daily", "timezone": "UTC", "interval": -1e9}),
    "10,000 cron expressions": (SEVERAL, {"expressions": ["0 0 * * *"] * 10_000, "timezone": "UTC", "interval": 0.0, "run_immediately": False}),
    "100,000 dates": (EVENTS, {"event_dates": ["2030-01-01T00:00:00+00:00"] * 100_000, "restrict_to_events": False, "summary": "", "description": ""}),
    "no dates": (EVENTS, {"event_dates": [], "restrict_to_events": False, "summary": "", "description": ""}),
    "a class that is no timetable": ("os.system", {"command": "id"}),
    "a class of Airflow's that is no timetable": ("airflow.timetables.base.DataInterval", {}),
    "a module of Airflow's": ("airflow.timetables._cron", {}),
    "assets in each other": ("airflow.timetables.simple.AssetTriggeredTimetable", {"asset_condition": None}),
}  # fmt: skip


def _timetable(kind: str, value: Any) -> Change:
    return lambda dag: dag.__setitem__("timetable", {"__type": kind, "__var": value})


def _act(change: Change, *, daily: bool) -> Act:
    async def act(world: World) -> httpx.Response:
        given = headers(world.attacker.session)
        instance = world.attacker.agent_id
        claim = {"instance": instance, "bundles": [{"name": world.attacker.bundle}, {"name": BUNDLE}]}
        claimed = await world.ask("POST", paths.PREFIX + dags.CLAIM, given=given, json_body=claim)
        assert claimed.status_code == 200, claimed.text
        whole = copy.deepcopy(rich_dag(world.home, BUNDLE))
        if daily:
            each_day(whole["dag"])
        change(whole["dag"])
        file = {"path": "rich.py", "content": uuid4().hex, "dags": [whole]}
        report = {"instance": instance, "bundle": BUNDLE, "files": [file]}
        answer = await world.ask("POST", paths.PREFIX + dags.REPORT, given=given, json_body=report)
        if answer.status_code == 200 and not answer.json()["refused"]:
            answer.extensions["run"] = made_run(whole["dag"]["dag_id"])
        return answer

    return act


def _held(world: World, answer: httpx.Response) -> str:
    """A file is refused alone, with status 200; of what is stored a run can be made."""
    if answer.status_code != 200:
        return f"the whole report was answered with {answer.status_code} {answer.text[:200]}"
    return str(answer.extensions.get("run", ""))


def any_change(dice: random.Random) -> Change:
    """One of these changes, drawn; for a Dag with a task that runs each day."""
    value = dice.choice(list(VALUES.values()))
    fields = [(inside, name) for named, inside, name in _fields() if named.startswith(("dag.", "task."))]
    return dice.choice(
        [_put(*dice.choice(fields), value), _timetable(*dice.choice(list(TIMETABLES.values())))]
    )


def each_day(dag: dict[str, Any]) -> None:
    """A schedule that makes a run at once."""
    _timetable(CRON, {"expression": "@daily", "timezone": "UTC"})(dag)


def _all() -> Iterator[Attempt]:
    yield Attempt(FAMILY, "as it is parsed", _act(lambda dag: None, daily=False), _taken)
    yield Attempt(
        FAMILY, "a task of 2^40 slots", _act(_put(_task(0), "pool_slots", 2**40), daily=True), _held
    )
    turn = itertools.cycle(VALUES.items())
    for named, inside, name in _fields():
        for what, value in itertools.islice(turn, EACH):
            yield Attempt(FAMILY, f"{named} = {what}", _act(_put(inside, name, value), daily=True), _held)
    for what, (kind, value) in TIMETABLES.items():
        yield Attempt(FAMILY, f"a timetable with {what}", _act(_timetable(kind, value), daily=False), _held)


def _taken(world: World, answer: httpx.Response) -> str:
    """The Dag that all of them are made from is a good one."""
    if answer.status_code != 200 or answer.json()["refused"] or "run" not in answer.extensions:
        return f"it is refused: {answer.text[:500]}"
    return str(answer.extensions["run"])


ATTEMPTS: Final = tuple(_all())
