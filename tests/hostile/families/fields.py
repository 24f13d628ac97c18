"""Every field of every message that an agent sends, at its bounds and far beyond."""

from __future__ import annotations

import copy
import itertools
import json
import os
from collections.abc import Iterator
from typing import Any, Final
from uuid import uuid4

import httpx
from pydantic import BaseModel

from tradewind_protocol import attempts, dags, logs, paths, polling, sessions, stored_runs, triggers

from ..attempts import Act, Attempt
from ..fingerprints import session_rows
from ..sites import Site, headers, opening
from ..world import World

FAMILY: Final = "fields"

MOST_KEPT: Final = 150_000
"""Characters that the row of one session may take, whatever its agent says of itself."""

MESSAGES: Final[dict[str, type[BaseModel]]] = {
    paths.SESSIONS: sessions.OpenSession,
    paths.POLL: polling.Poll,
    "/attempts/{id}/start": attempts.Start,
    "/attempts/{id}/finish": attempts.Outcome,
    "/attempts/{id}/hand-back": attempts.HandBack,
    paths.FINISH: attempts.Endings,
    "/logs/{id}": logs.LogPiece,
    stored_runs.PATH: stored_runs.AskRuns,
    dags.CLAIM: dags.Claim,
    dags.REPORT: dags.Report,
    dags.WATCH: dags.Watch,
    triggers.SYNC: triggers.Sync,
}
VALUES: Final[dict[str, Any]] = {
    "900 kB of text": "x" * 900_000,
    "2^80": 2**80,
    "a NUL": "a\0b",
    "50,000 items": ["x"] * 50_000,
    "-2^80": -(2**80),
    "200 lists in each other": json.loads("[" * 200 + "]" * 200),
    "an object of 20,000 names": {f"n{number}": "x" for number in range(20_000)},
    "null": None,
}
EACH: Final = len(VALUES) if os.environ.get("TRADEWIND_TEST_HOSTILE") == "all" else 2
"""How many of them each field gets; the fast ring deals them out in turn."""


def example(path: str, world: World) -> dict[str, Any]:
    """A message with every list filled, so that each field has a place."""
    of = world.attacker
    ref = {"attempt_id": str(uuid4()), "epoch": 1}
    environment = {
        "name": "main",
        "queues": ["default"],
        "slots": 1,
        "python": "3.11",
        "airflow": "3.3.2",
        "problem": "",
        "bundles": [of.bundle],
        "xcom": {"base": "s3://b", "mark": "m"},
        "key": "k",
    }
    fresh = Site(of.name)
    outcome = {
        "epoch": 1,
        "kind": "succeeded",
        "exit_code": 0,
        "signal": "SIGKILL",
        "reason": "r",
        "started_at": "2030-01-01T00:00:00Z",
        "ended_at": "2030-01-01T00:00:00Z",
        "task_state": "success",
    }
    file = {
        "path": "x.py",
        "content": "ab",
        "dags": [{}],
        "import_errors": {"x.py": "e"},
        "warnings": [{"dag_id": "d", "warning_type": "asset conflict", "message": "m"}],
        "seconds": 1.0,
        "source": {"x.py": "s"},
    }
    made: dict[str, dict[str, Any]] = {
        paths.SESSIONS: {**opening(fresh), "environments": [environment], "unreported": [ref], "policy": "strict", "version": "0.1.0",
                         "host": {"hostname": "h", "platform": "p", "cpus": 1, "memory_bytes": 1, "pid": 1}},
        paths.POLL: {"room": [{"environment": "main", "queues": ["default"], "free": 1}], "holding": [ref], "running": [ref], "carried_out": [str(uuid4())],
                     "findings": [{"check": "disk", "message": "m", "remedy": "r"}], "environments": [environment], "draining": False, "hold": 0},
        "/attempts/{id}/start": {"epoch": 1},
        "/attempts/{id}/finish": outcome,
        "/attempts/{id}/hand-back": {"epoch": 1, "reason": "r"},
        paths.FINISH: {"endings": [{"attempt_id": str(uuid4()), "outcome": outcome}]},
        "/logs/{id}": {"server": str(uuid4()), "number": 0, "files": [{"name": "n", "size": 1}], "content": "", "gap": {"begin": 0, "end": 1}, "last": False, "problem": ""},
        stored_runs.PATH: {"runs": [{"dag": "d", "run": "r"}]},
        dags.CLAIM: {"instance": str(uuid4()), "bundles": [{"name": of.bundle, "fingerprint": "f", "versioned": False, "view_url_template": "https://x/{version}", "template_params": {"a": "b"}}], "kept": [], "key": "k"},
        dags.REPORT: {"instance": str(uuid4()), "bundle": of.bundle, "version": "v", "version_data": {"a": "b"}, "refreshed_at": "2030-01-01T00:00:00Z", "files": [file], "same": [{"path": "y.py", "content": "ab"}], "removed": ["z.py"]},
        dags.WATCH: {"instance": str(uuid4()), "marks": {of.bundle: "m"}, "parsing": ["p"], "confirm": [str(uuid4())], "done": [str(uuid4())], "hold": 0},
        triggers.SYNC: {"source": str(uuid4()), "running": "", "reports": [{"seq": 1, "trigger_id": 2**40, "event": {"payload": "x", "end_state": "success", "xcoms": {"a": "s3://b/k"}}}], "queues": ["default"], "capacity": 1, "working": True, "news": True, "hold": 0},
    }  # fmt: skip
    return json.loads(json.dumps(made[path], default=str))


def places(message: type[BaseModel], at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every field of a message, and of the messages in it."""
    for name, field in message.model_fields.items():
        yield (*at, name)
        for inner in _messages(field.annotation):
            listed = "tuple" in str(field.annotation)
            yield from places(inner, (*at, name, *((0,) if listed else ())))


def _messages(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from _messages(argument)


def _act(path: str, place: tuple[str | int, ...], value: Any) -> Act:
    async def act(world: World) -> httpx.Response:
        body = example(path, world)
        inside: Any = body
        for step in place[:-1]:
            inside = inside.setdefault(step, {}) if isinstance(inside, dict) else inside[step]
        inside[place[-1]] = copy.copy(value)
        token = path == paths.SESSIONS
        given = headers(world.attacker.token if token else world.attacker.session)
        url = paths.PREFIX + path.replace("{id}", str(uuid4()))
        answer = await world.ask("POST", url, given=given, json_body=body)
        if token and answer.status_code == 200:  # leave no session behind
            answer.extensions["kept"] = session_rows(world.attacker)
            session = answer.json()["session_token"]
            await world.ask("DELETE", paths.PREFIX + path, given=headers(session))
        elif path == paths.POLL:
            answer.extensions["kept"] = session_rows(world.attacker)
        return answer

    return act


def _held(world: World, answer: httpx.Response) -> str:
    """It is refused, or what is kept of it is small."""
    kept = answer.extensions.get("kept", 0)
    return f"the session's row takes {kept} characters" if kept > MOST_KEPT else ""


def _all() -> Iterator[Attempt]:
    turn = itertools.cycle(VALUES.items())
    for path, message in MESSAGES.items():
        for place in places(message):
            named = ".".join(map(str, place))
            if named == "hold":
                continue  # a long poll may be long
            for what, value in dict(
                [("900 kB of text", VALUES["900 kB of text"]), *itertools.islice(turn, EACH)]
            ).items():
                yield Attempt(FAMILY, f"POST {path} with {named} = {what}", _act(path, place, value), _held)


ATTEMPTS: Final = tuple(_all())
