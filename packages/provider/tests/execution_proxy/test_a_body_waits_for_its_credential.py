"""The credential is looked at before the body, and a body has a size and a pace: nobody spends an API server's memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import anyio
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, event

from tradewind_protocol import dags, ids, paths, stored_runs, triggers
from tradewind_protocol.attempts import AttemptRef, Ended, Endings, HandBack, Outcome
from tradewind_protocol.errors import STATUS, Code, Refused
from tradewind_protocol.logs import LARGEST_PIECE, LogPiece
from tradewind_protocol.messages import Message
from tradewind_protocol.polling import Finding, Poll
from tradewind_protocol.sessions import OpenSession
from tradewind_protocol.states import Component
from tradewind_provider.api.ingress import admission

from .conftest import Plane

VERBS = (
    paths.SESSIONS,
    paths.POLL,
    "/attempts/finish",
    dags.CLAIM,
    dags.REPORT,
    dags.WATCH,
    triggers.SYNC,
    "/logs/5f1c7b1e-0000-4000-8000-000000000000",
    paths.EXECUTION + "/xcoms/etl/r/t/k",
    "/of/no/verb",
)


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """What is asked of the database, as it is asked."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    yield asked
    event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def plane(airflow: FastAPI) -> Plane:
    return Plane(airflow, largest=64 * 1024 * 1024)


@pytest.mark.parametrize("path", VERBS)
@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, Code.TOKEN_MISSING),
        ("Basic YTpi", Code.TOKEN_MALFORMED),
        ("Bearer nonsense", Code.TOKEN_MALFORMED),
        (f"Bearer {ids.new_secret(ids.SESSION_TOKEN_PREFIX)}", Code.SESSION_UNKNOWN),
        (f"Bearer {ids.new_secret(ids.AGENT_TOKEN_PREFIX)}", Code.TOKEN_UNKNOWN),
    ],
)
async def test_no_byte_of_a_body_is_read_for_a_credential_that_is_not_good(
    plane: Plane, path: str, authorization: str | None, code: Code
) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": paths.PREFIX + path,
        "headers": [(b"content-length", b"31000000")]
        + ([(b"authorization", authorization.encode())] if authorization else []),
    }
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("the body was asked for")

    async def send(message: Any) -> None:
        sent.append(message)

    await plane.middleware(scope, receive, send)
    # A token of the other kind than the verb wants does not have its form.
    other = Code.SESSION_UNKNOWN if path == paths.SESSIONS else Code.TOKEN_UNKNOWN
    expected = Code.TOKEN_MALFORMED if code is other else code
    assert (sent[0]["status"], json.loads(sent[1]["body"])["error"]) == (STATUS[expected], expected.value)


async def test_a_poll_of_a_known_session_is_read_without_another_look_at_the_database(
    plane: Plane, statements: list[str]
) -> None:
    session = plane.session()
    async with plane.http(session) as client:
        await client.post("http://plane" + paths.PREFIX + paths.POLL, content=b"{}")
        statements.clear()
        await client.post("http://plane" + paths.PREFIX + "/of/no/verb", content=b"{}")
    assert statements == []


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/of/no/verb", admission.SMALL),
        ("/attempts/5f1c7b1e-0000-4000-8000-000000000000/start", admission.SMALL),
        (paths.SESSIONS, 2 * 1024 * 1024),
        (paths.POLL, 4 * 1024 * 1024),
        (triggers.SYNC, 8 * 1024 * 1024),
        (dags.REPORT, 10**9),
    ],
)
def test_each_verb_has_a_size_of_its_own(path: str, most: int) -> None:
    assert admission.largest(path, deployment=10**9) == most
    assert admission.largest(path, deployment=1000) == 1000


REFS = tuple(AttemptRef(attempt_id=UUID(int=number), epoch=10**6) for number in range(20_000))
PROSE = "\N{GRINNING FACE}"
"""A character of four bytes."""


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            paths.POLL,
            Poll(holding=REFS, running=REFS, findings=(Finding(check="c", message=PROSE * 500),) * 100),
        ),
        (
            paths.SESSIONS,
            OpenSession(
                agent_id=UUID(int=0),
                instance=UUID(int=0),
                name="a",
                components=(Component.WORKER,),
                unreported=REFS,
            ),
        ),
        (
            "/attempts/finish",
            Endings(
                endings=tuple(
                    Ended(
                        attempt_id=UUID(int=number),
                        outcome=Outcome(epoch=1, kind="failed", reason=PROSE * 4000),
                    )
                    for number in range(200)
                )
            ),
        ),
        (paths.hand_back(UUID(int=0)), HandBack(epoch=1, reason=PROSE * 4000)),
        (
            dags.CLAIM,
            dags.Claim(
                instance=UUID(int=0),
                bundles=tuple(
                    dags.BundleClaim(name=f"{number}{PROSE * 240}", view_url_template="x" * 2000)
                    for number in range(1000)
                ),
            ),
        ),
        (
            dags.WATCH,
            dags.Watch(
                instance=UUID(int=0),
                marks={f"{number}{PROSE * 240}": "m" * 32 for number in range(1000)},
                confirm=tuple(UUID(int=number) for number in range(1000)),
                done=tuple(UUID(int=number) for number in range(1000)),
            ),
        ),
        (triggers.SYNC, triggers.Sync(source=UUID(int=0), running="x" * 2_000_000)),
        (f"/logs/{UUID(int=0)}", LogPiece(server=UUID(int=0), number=0, content="x" * 3 * LARGEST_PIECE)),
        (
            stored_runs.PATH,
            stored_runs.AskRuns(
                runs=(stored_runs.RunFolder(dag="d" * 100, run="r" * 100),) * stored_runs.AT_ONCE
            ),
        ),
    ],
    ids=["poll", "sessions", "finish", "hand back", "claim", "watch", "sync", "logs", "stored runs"],
)
def test_the_largest_message_of_a_verb_is_let_in(path: str, message: Message) -> None:
    assert len(message.model_dump_json().encode()) <= admission.largest(path, deployment=10**9)


async def test_a_verb_of_a_known_session_that_is_too_large_is_refused_by_its_own_size(plane: Plane) -> None:
    async with plane.http(plane.session()) as client:
        answer = await client.post(
            "http://plane" + paths.PREFIX + "/of/no/verb", content=b"x" * (admission.SMALL + 1)
        )
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


async def test_a_body_that_comes_byte_by_byte_is_given_up_and_one_that_keeps_its_pace_is_not() -> None:
    now = 0.0
    pace = 0.0

    async def receive() -> Any:
        nonlocal now
        now += pace
        return {"type": "http.request", "body": b"x" * 1024, "more_body": True}

    paced = admission.timely(receive, monotonic=lambda: now)
    pace = 1024 / admission.LEAST_PACE
    for _ in range(1000):
        await paced()
    assert now > 3 * admission.FIRST_SECONDS
    pace = 1.0
    with pytest.raises(Refused) as refused:
        for _ in range(1000):
            await paced()
    assert refused.value.code is Code.UNAVAILABLE


async def test_a_client_that_sends_nothing_is_given_up() -> None:
    started = 0.0

    def later() -> float:  # the time allowed is over as soon as the body is waited for
        nonlocal started
        started += admission.FIRST_SECONDS
        return started

    async def silent() -> Any:
        await anyio.sleep_forever()

    with pytest.raises(Refused) as refused:
        await admission.timely(silent, monotonic=later)()
    assert refused.value.code is Code.UNAVAILABLE


async def test_a_long_poll_waits_for_its_client_as_long_as_it_has_to() -> None:
    messages = iter([{"type": "http.request", "body": b"{}", "more_body": False}])
    now = 0.0

    async def receive() -> Any:
        return next(messages, {"type": "http.disconnect"})

    paced = admission.timely(receive, monotonic=lambda: now)
    await paced()
    now = 10_000.0
    assert (await paced())["type"] == "http.disconnect"


async def test_a_report_of_dags_has_the_deployments_limit(airflow: FastAPI) -> None:
    plane = Plane(airflow, largest=1000)
    async with plane.http(plane.session(components=("dag_processor",))) as client:
        answer = await client.post("http://plane" + paths.PREFIX + dags.REPORT, content=b"x" * 1001)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
