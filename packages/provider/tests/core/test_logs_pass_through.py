"""A log passes through the plane from its agent to its reader, and nothing of it stays."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from airflow.jobs.job import Job
from airflow.models.taskinstancehistory import TaskInstanceHistory
from sqlalchemy import inspect, select
from sqlalchemy.orm.attributes import manager_of_class, set_committed_value

from tradewind_protocol import logs as wire
from tradewind_provider.airflow import task_log_files
from tradewind_provider.airflow.database import create_session
from tradewind_provider.api.ingress.log_readers import LogReaders
from tradewind_provider.services import log_relay
from tradewind_provider.services.log_relay import MOST_STREAMS, LogRelay, relay
from tradewind_provider.settings import Settings
from tradewind_provider.store.tables import Event
from tradewind_provider.task_logs import TaskLogs

from .log_scenes import PATH, TI, Storage, asked, commands_left, ran, sends
from .scenes import SETTINGS, Clock, Plane


@pytest.fixture
def settings() -> Settings:
    return replace(SETTINGS, live_log_seconds=5.0, live_log_bytes=100_000)


@pytest.fixture
def reading(settings: Settings, clock: Clock) -> Iterator[Callable[[], Any]]:
    """Opens the log in a thread, as Airflow does; a future of (sources, lines)."""
    with ThreadPoolExecutor(4) as threads:
        logs = TaskLogs(settings=settings, clock=clock)

        def read() -> tuple[list[str], list[str]]:
            sources, streams = logs.stream(PATH, TI)
            return sources, [line for lines in streams for line in lines]

        yield lambda: asyncio.wrap_future(threads.submit(read))


async def test_a_reader_gets_the_lines_of_the_agent_that_ran_the_task(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    agent = await ran(plane, clock)
    result = reading()
    wanted = await asked(agent)
    assert wanted["path"] == PATH and wanted["most"] == 100_000
    assert (await sends(agent, wanted, 0, "one\ntw")).json() == {"wanted": True}
    assert (await sends(agent, wanted, 0, "one\ntw")).json() == {"wanted": True}, "again: a lost answer"
    assert (await sends(agent, wanted, 1, "o\nthree", last=True)).json() == {"wanted": False}
    sources, lines = await result
    assert lines == ["one", "two", "three"]
    assert sources == ["agent eu-1: /site/attempt=1.log (6 bytes)"]
    assert commands_left() == 0
    assert (await sends(agent, wanted, 2, "more")).json() == {"wanted": False}


async def test_another_agent_cannot_put_words_into_a_log(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    agent = await ran(plane, clock)
    stranger = await plane.agent(name="stranger").opens()
    result = reading()
    wanted = await asked(agent)
    assert (await sends(stranger, wanted, 0, "lies", last=True)).json() == {"wanted": False}
    await sends(agent, wanted, 0, "truth", last=True)
    assert (await result)[1] == ["truth"]


async def test_what_is_no_piece_is_refused(plane: Plane, clock: Clock, reading: Callable[[], Any]) -> None:
    agent = await ran(plane, clock)
    result = reading()
    wanted = await asked(agent)
    bomb = wire.squeeze(b"0" * 50_000_000)
    assert len(bomb) < 1_000_000
    assert (await sends(agent, wanted, 0, content=bomb)).status_code == 422
    assert (await sends(agent, wanted, 0, content="!")).status_code == 422
    assert (await sends(agent, wanted, 7, "too early")).status_code == 409
    assert (await sends(agent, {**wanted, "server": "../../etc/passwd"}, 0)).status_code == 422
    assert (await agent.call("POST", "/logs/not-a-stream", {})).status_code == 422
    await sends(agent, wanted, 0, "words", last=True)
    assert (await result)[1] == ["words"]


async def test_an_agent_that_sends_more_than_it_was_asked_for_is_cut_off(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    agent = await ran(plane, clock)
    result = reading()
    wanted = await asked(agent)
    line = "x" * 1023 + "\n"
    answers = [await sends(agent, wanted, number, line * 1024) for number in range(3)]
    assert [answer.json()["wanted"] for answer in answers[:2]] == [True, False]
    # by then the reader may have left with what it had
    assert not answers[2].json().get("wanted", False)
    lines = (await result)[1]
    assert len(lines) == 1025
    assert "sent more than it was asked for" in lines[-1]


async def test_the_reader_is_told_when_the_agent_has_no_log(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    agent = await ran(plane, clock)
    result = reading()
    await sends(agent, await asked(agent), 0, last=True, files=[], problem="there is no log at /x")
    (line,) = (await result)[1]
    assert json.loads(line)["event"] == "Agent eu-1: there is no log at /x."


async def test_a_log_that_a_rule_keeps_is_an_event_and_not_one_each_time_a_page_asks(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    def events() -> list[Event]:
        with create_session() as db:
            return list(db.scalars(select(Event).where(Event.action == "log_refused")))

    agent = await ran(plane, clock)
    for _ in range(2):
        clock.forward(5)
        result = reading()
        more = {"files": [], "problem": "this site does not show its logs", "rule": "live_logs"}
        await sends(agent, await asked(agent), 0, last=True, **more)
        (line,) = (await result)[1]
        assert "this site does not show its logs" in line
    (event,) = events()
    assert (event.actor, event.subject) == ("agent:eu-1", "log:d.t [r, try 1]")
    assert event.detail == {"rule": "live_logs", "site": "default"}


async def test_the_log_of_an_agent_that_is_gone_says_where_it_is_at_once(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    agent = await ran(plane, clock)
    await agent.goodbye()
    (line,) = (await asyncio.wait_for(reading(), 3))[1]
    said = json.loads(line)["event"]
    assert f"the site of agent eu-1, in task-logs/{PATH}" in said and "gone since 2026-03-01 12:00" in said


async def test_the_log_of_an_agent_that_is_gone_is_read_by_another_agent_of_its_site(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    agent = await ran(plane, clock)
    await agent.goodbye()
    other = await plane.agent(name="eu-2").opens()
    await other.poll()
    result = reading()
    wanted = await asked(other)
    assert wanted["path"] == PATH
    await sends(other, wanted, 0, "of the bucket", last=True)
    said, lines = await result
    assert lines == ["of the bucket"]
    assert said[0].startswith("agent eu-2: ")
    assert commands_left() == 0


async def test_an_agent_that_cannot_read_the_bucket_says_why_and_where_the_log_is(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    agent = await ran(plane, clock)
    await agent.goodbye()
    other = await plane.agent(name="eu-2").opens()
    await other.poll()
    result = reading()
    wanted = await asked(other)
    await sends(other, wanted, 0, files=[], last=True, problem="AccessDenied: " + "x" * 1900)
    _, lines = await result
    assert len(lines) == 2
    assert "site of agent eu-1" in lines[0]
    why = json.loads(lines[1])["event"]
    assert why.startswith("Agent eu-2 was asked for the log, too: AccessDenied: x") and len(why) < 600
    assert commands_left() == 0


async def test_a_log_has_the_address_that_its_owner_has_set(
    plane: Plane, clock: Clock, settings: Settings
) -> None:
    pattern = "https://logs.example.com/?q={dag_id}+{run_id}+{task_id}+{try_number}&file={path}"
    await ran(plane, clock)
    linked = TaskLogs(settings=replace(settings, log_link=pattern, live_log_seconds=0.1), clock=clock)
    said, streams = await asyncio.to_thread(linked.stream, PATH, TI)
    address = (
        "https://logs.example.com/?q=d+r+t+1&file=dag_id%3Dd%2Frun_id%3Dr%2Ftask_id%3Dt%2Fattempt%3D1.log"
    )
    assert said[0] == address
    assert address in [line for lines in streams for line in lines][-1]


async def test_a_silent_agent_is_not_waited_for(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    await ran(plane, clock)
    clock.forward(40)
    (line,) = (await asyncio.wait_for(reading(), 3))[1]
    assert "its last poll was at" in json.loads(line)["event"]
    assert commands_left() == 0


async def test_an_agent_that_was_started_again_is_asked_in_its_new_life(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    agent = await ran(plane, clock)
    agent.instance = uuid4()
    await agent.opens()
    result = reading()
    await sends(agent, await asked(agent), 0, "from the disk", last=True)
    assert (await result)[1] == ["from the disk"]


async def test_an_agent_that_does_not_answer_costs_the_reader_seconds_not_more(
    plane: Plane, clock: Clock, settings: Settings
) -> None:
    await ran(plane, clock)
    logs = TaskLogs(settings=replace(settings, live_log_seconds=0.2), clock=clock)
    (lines,) = (await asyncio.to_thread(logs.stream, PATH, TI))[1]
    (line,) = await asyncio.to_thread(list, lines)
    assert "has not answered within 0.2 s" in json.loads(line)["event"]
    assert commands_left() == 0


async def test_a_task_nobody_ran_says_so(plane: Plane, reading: Callable[[], Any]) -> None:
    assert "No agent has run this try" in (await reading())[1][0]


# ---- large lines and large logs


async def test_a_line_of_many_pieces_is_one_line(plane: Plane, clock: Clock, settings: Settings) -> None:
    line = json.dumps({"event": "x" * 5_000_000, "level": "info"})
    agent = await ran(plane, clock)
    logs = TaskLogs(settings=replace(settings, live_log_bytes=32 * 1024 * 1024), clock=clock)
    result = asyncio.create_task(asyncio.to_thread(lambda: [list(each) for each in logs.stream(PATH, TI)[1]]))
    wanted, text, size = await asked(agent), f"before\n{line}\nafter\n", wire.LARGEST_PIECE
    for number, at in enumerate(range(0, len(text), size)):
        await sends(agent, wanted, number, text[at : at + size], last=at + size >= len(text))
    assert (await result) == [["before", line, "after"]]


async def test_what_is_left_out_is_told_with_the_address_of_its_first_page(
    plane: Plane, clock: Clock, reading: Callable[[], Any]
) -> None:
    agent = await ran(plane, clock)
    result = reading()
    wanted = await asked(agent)
    assert wanted["begin"] == 0
    await sends(agent, wanted, 0, "head\n")
    await sends(agent, wanted, 1, gap={"begin": 5, "end": 1_000_005})
    await sends(agent, wanted, 2, "tail\n", last=True)
    head, told, tail = (await result)[1]
    assert (head, tail) == ("head", "tail")
    said = json.loads(told)["event"]
    assert said.startswith("1000000 bytes of the log are not shown here, from byte 5 on")
    address = httpx.URL(said.rpartition(" ")[2])
    assert address.path == "/api/v2/dags/d/dagRuns/r/taskInstances/t/logs/1"
    assert dict(address.params) == {"map_index": "-1", "log_agent": "eu-1", "log_begin": "5"}


async def test_a_page_that_is_asked_for_is_asked_of_that_agent(
    plane: Plane, clock: Clock, settings: Settings
) -> None:
    agent = await ran(plane, clock)
    logs = TaskLogs(settings=settings, clock=clock, storage=Storage("stored"))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        streams = (await asyncio.to_thread(logs.stream, PATH, TI))[1]
        scope["lines"] = [line for each in streams for line in await asyncio.to_thread(list, each)]

    async def lines(query: bytes) -> list[str]:
        path = "/api/v2/dags/d/dagRuns/r/taskInstances/t/logs/1"
        scope = {"type": "http", "method": "GET", "path": path, "query_string": query}
        await LogReaders(app)(scope, asyncio.Event().wait, None)  # type: ignore[arg-type]
        return list(scope["lines"])  # type: ignore[call-overload]

    result = asyncio.create_task(lines(b"log_agent=eu-1&log_begin=700"))
    wanted = await asked(agent)
    assert wanted["begin"] == 700
    await sends(agent, wanted, 0, "of the page", last=True)
    assert await result == ["of the page"]
    assert "No agent 'another' has run" in (await lines(b"log_agent=another&log_begin=700"))[0]
    for query in (b"", b"log_begin=-3", b"log_begin=x", b"log_begin=" + b"9" * 30):
        assert await lines(query) == ["stored"]


async def test_a_stream_nobody_reads_ends(plane: Plane, clock: Clock, settings: Settings) -> None:
    agent = await ran(plane, clock)
    logs = TaskLogs(settings=settings, clock=clock)
    opening = asyncio.create_task(asyncio.to_thread(logs.stream, PATH, TI))
    wanted = await asked(agent)
    assert (await sends(agent, wanted, 0, "words\n")).json() == {"wanted": True}
    _, streams = await opening
    del opening, _
    streams.clear()  # as when Airflow fails between opening and reading
    assert (await sends(agent, wanted, 1, "more")).json() == {"wanted": False}
    assert commands_left() == 0


def test_only_so_many_logs_are_read_at_once() -> None:
    full = LogRelay()
    for _ in range(MOST_STREAMS):
        full.open(uuid4(), most=1)
    with pytest.raises(Exception, match="are read from agents"):
        full.open(uuid4(), most=1)


# ---- a reader who leaves


async def test_a_reader_who_leaves_ends_the_stream_at_once() -> None:
    leaves = asyncio.Event()
    opened: list[log_relay.LogStream] = []
    over = threading.Event()
    begun, loop = asyncio.Event(), asyncio.get_running_loop()

    def airflow_reads() -> None:
        stream = relay().open(uuid4(), most=10)
        opened.append(stream)
        loop.call_soon_threadsafe(begun.set)
        list(stream.pieces(silence=60))
        over.set()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.to_thread(airflow_reads)

    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await leaves.wait()
        return {"type": "http.disconnect"}

    path = "/api/v2/dags/d/dagRuns/r/taskInstances/t/logs/1"
    scope = {"type": "http", "method": "GET", "path": path, "query_string": b""}
    request = asyncio.create_task(LogReaders(app)(scope, receive, None))  # type: ignore[arg-type]
    await asyncio.wait_for(begun.wait(), 5)
    assert not over.is_set()
    leaves.set()
    await asyncio.wait_for(request, 5)
    assert over.is_set()
    relay().close(opened[0])


# ---- where the plane does not look


def test_the_plane_asks_no_host_an_agent_has_named() -> None:
    row, job = (
        manager_of_class(each).new_instance() for each in (TaskInstanceHistory, Job)
    )  # as when loaded
    for each in (row, job):
        set_committed_value(each, "hostname", "169.254.169.254:80/latest?")
    task_log_files.ask_no_log_server(row)
    task_log_files.ask_no_log_server(job)
    task_log_files.ask_no_log_server(SimpleNamespace(hostname="x"))
    assert (row.hostname, job.hostname) == ("", "")
    assert not inspect(row).modified and not inspect(job).modified, "and the database does not hear of it"
