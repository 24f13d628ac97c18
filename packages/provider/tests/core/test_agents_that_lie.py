"""An agent with a good token that sends whatever it likes is refused or understood, and never breaks the plane."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tradewind_protocol.errors import Refusal
from tradewind_provider.settings import Settings

from .scenes import SETTINGS, Clock, Plane, queued, with_cadence

ODD = ["nul\x00in it", "x" * 20_000, "\ud800", "", "../../etc/passwd", "\u202e", "'; --", "\x7f\x1b[2J"]


@pytest.fixture
def settings() -> Settings:
    """A poll that asks to be held without end is held as long as the cadence says: here not for 25 seconds."""
    return with_cadence(SETTINGS, poll=0.2)


def strings(message: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where strings are in a message."""
    if isinstance(message, str):
        yield path
    elif isinstance(message, dict):
        for key, value in message.items():
            yield from strings(value, (*path, key))
    elif isinstance(message, list):
        for index, value in enumerate(message):
            yield from strings(value, (*path, index))


def with_odd(message: Any, path: tuple[Any, ...], odd: str) -> Any:
    changed = copy.deepcopy(message)
    place = changed
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = odd
    return changed


def _messages() -> dict[str, tuple[str, str, dict[str, Any]]]:
    attempt = str(uuid4())
    environment = {
        "name": "main",
        "queues": ["default"],
        "slots": 1,
        "python": "3",
        "airflow": "3",
        "problem": "p",
    }
    host = {"hostname": "h", "platform": "p", "cpus": 1, "memory_bytes": 1, "pid": 1}
    ref = {"attempt_id": attempt, "epoch": 1}
    finding = {"check": "disk", "message": "full", "remedy": "empty it"}
    dag = {"dag": {"dag_id": "d", "fileloc": "/b/f.py"}, "__version": 3}
    return {
        "session": (
            "POST",
            "/sessions",
            {
                "agent_id": str(uuid4()),
                "instance": str(uuid4()),
                "name": "eu-1",
                "components": ["worker", "dag_processor", "triggerer"],
                "environments": [environment],
                "bundles": ["b"],
                "policy": "open",
                "version": "1",
                "host": host,
            },
        ),
        "poll": (
            "POST",
            "/poll",
            {
                "room": [{"environment": "main", "queues": ["default"], "free": 1}],
                "holding": [ref],
                "running": [ref],
                "findings": [finding],
                "environments": [environment],
                "hold": 0,
            },
        ),
        "finish": (
            "POST",
            "/attempts/{attempt}/finish",
            {"epoch": 1, "kind": "failed", "signal": "SIGKILL", "reason": "because"},
        ),
        "hand back": ("POST", "/attempts/{attempt}/hand-back", {"epoch": 1, "reason": "because"}),
        "claim": (
            "POST",
            "/dags/claim",
            {
                "instance": "{instance}",
                "bundles": [
                    {
                        "name": "b",
                        "fingerprint": "f",
                        "view_url_template": "https://x/{version}",
                        "template_params": {"a": "b"},
                    }
                ],
                "kept": ["c"],
            },
        ),
        "report": (
            "POST",
            "/dags/report",
            {
                "instance": "{instance}",
                "bundle": "b",
                "version": "1",
                "version_data": {"a": "b"},
                "files": [
                    {
                        "path": "f.py",
                        "content": "abc",
                        "dags": [dag],
                        "import_errors": {"f.py": "broken"},
                        "warnings": [{"dag_id": "d", "warning_type": "non-existent pool", "message": "m"}],
                        "source": {"f.py": "text"},
                    }
                ],
                "same": [{"path": "g.py", "content": "abc"}],
                "removed": ["h.py"],
            },
        ),
        "watch": (
            "POST",
            "/dags/watch",
            {"instance": "{instance}", "marks": {"b": "m"}, "parsing": ["r1"], "hold": 0},
        ),
        "sync": (
            "POST",
            "/triggers/sync",
            {
                "source": str(uuid4()),
                "running": "",
                "queues": ["default"],
                "hold": 0,
                "reports": [
                    {"seq": 1, "trigger_id": 1, "event": {"payload": "p", "xcoms": {"k": "v"}}},
                    {"seq": 2, "trigger_id": 2, "failure": {"traceback": ["line"]}},
                ],
            },
        ),
        "log piece": (
            "POST",
            "/logs/" + str(uuid4()),
            {"server": str(uuid4()), "number": 0, "files": [{"name": "f", "size": 1}], "problem": "p"},
        ),
    }


MESSAGES = _messages()


@pytest.mark.parametrize("verb", MESSAGES)
async def test_odd_strings_are_refused_or_kept_and_never_an_error_of_the_plane(
    plane: Plane, clock: Clock, verb: str
) -> None:
    method, path, message = MESSAGES[verb]
    components = ["worker", "dag_processor", "triggerer"]
    agent = await plane.agent(slots=1).opens(components=components, policy="open", bundles=["b"])
    instance = str(uuid4())
    if verb in ("report", "watch"):
        claimed = await agent.call("POST", "/dags/claim", {"instance": instance, "bundles": [{"name": "b"}]})
        assert claimed.status_code == 200, claimed.text
    for where in strings(message):
        for odd in ODD:
            sent = with_odd(message, where, odd)
            if verb != "session" and where != ("instance",) and "instance" in sent:
                sent["instance"] = instance
            place = path
            if "{attempt}" in path:
                queued(clock)
                (offer,) = await agent.offers()
                assert (await agent.start(offer)).status_code == 200
                place = path.format(attempt=offer["attempt_id"])
                sent["epoch"] = offer["epoch"]
            answer = await agent.call(method, place, sent, bearer=agent.secret if verb == "session" else "")
            assert answer.status_code < 500, (where, odd[:20], answer.text)
            if not answer.is_success:
                Refusal.model_validate(answer.json())
            if "{attempt}" in path and not answer.is_success:
                await agent.call(
                    "POST",
                    f"/attempts/{offer['attempt_id']}/finish",
                    {"epoch": offer["epoch"], "kind": "failed"},
                )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"a":' * 50_000,
        b"[" * 200_000,
        b"\xff\xfe{}",
        json.dumps({"room": "x"}).encode(),
        b'{"hold": 1e400}',
        b'{"hold": NaN}',
        b'{"hold": -1e308}',
        b'{"room": [{"environment": "main", "queues": ["default"], "free": 99999999999999999999}]}',
    ],
)
@pytest.mark.parametrize(
    "path", ["/sessions", "/poll", "/dags/claim", "/dags/report", "/dags/watch", "/triggers/sync"]
)
async def test_bodies_that_are_no_messages_are_refused(plane: Plane, path: str, body: bytes) -> None:
    agent = await plane.agent().opens(components=["worker", "dag_processor", "triggerer"])
    answer = await agent.client.post(
        path,
        content=body,
        headers={
            "authorization": f"Bearer {agent.secret if path == '/sessions' else agent.token}",
            "content-type": "application/json",
            "tradewind-protocol": "1.0",
        },
        timeout=60,
    )
    assert answer.status_code < 500, answer.text
    if not answer.is_success:
        Refusal.model_validate(answer.json())
