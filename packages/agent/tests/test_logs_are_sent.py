"""What an agent sends of a task's log, to whom, and what it never reads."""

from __future__ import annotations

import asyncio
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from agent_kit import AgentUnderTest

from tradewind_agent.testing import FakePlane
from tradewind_agent.work import log_windows
from tradewind_agent.work.log_files import LogFiles, LogNotFound
from tradewind_agent.work.log_streams import LogStreams
from tradewind_protocol import logs
from tradewind_protocol.logs import LogPiece, StreamLog
from tradewind_protocol.polling import Verb

LOG = "dag_id=d/run_id=r/task_id=t/attempt=1.log"


def written(directory: Path, text: str, path: str = LOG) -> Path:
    """A log whose writer is done."""
    file = directory / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    os.utime(file, (1.0, 1.0))
    return file


def read(directory: Path, path: str = LOG, *, most: int = 10_000) -> str:
    with LogFiles(directory, path) as files:
        found = log_windows.content(files.files, most=most, piece=7)
        return b"".join(each for each in found if isinstance(each, bytes)).decode()


def test_the_log_is_read_whole_with_its_triggers_words_after_it(tmp_path: Path) -> None:
    written(tmp_path, "a task's first words\nand its last")
    written(tmp_path, "a trigger's\n", f"{LOG}.trigger.{uuid4()}.log")
    written(tmp_path, "another try's", LOG.replace("1", "11"))
    assert read(tmp_path) == "a task's first words\nand its last\na trigger's\n"


def test_a_line_that_is_still_written_is_left_for_the_next_look(tmp_path: Path) -> None:
    file = written(tmp_path, "whole\nhal")
    os.utime(file)
    assert read(tmp_path) == "whole\n"


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "/etc/passwd",
        "a/../../secret",
        "dag_id=d/../../secret",
        "",
        ".",
        "\0",
        "dag_processor/latest.log",
        "dag_id=d",
        "dag_id=link/attempt=1.log",
        "link.log",
        "hard.log",
        "pipe.log",
        "x" * 5000,
    ],
)
def test_nothing_but_plain_files_under_the_log_directory_is_ever_read(tmp_path: Path, path: str) -> None:
    directory = tmp_path / "task-logs"
    secret = written(tmp_path, "the agent's token", "secret")
    written(tmp_path, "the agent's token", "elsewhere/attempt=1.log")
    written(directory, "names of files", "dag_processor/latest.log")
    (directory / "dag_id=d").mkdir()
    (directory / "dag_id=link").symlink_to(tmp_path / "elsewhere")
    (directory / "link.log").symlink_to(secret)
    os.link(secret, directory / "hard.log")
    os.mkfifo(directory / "pipe.log")
    with pytest.raises(LogNotFound) as refused:
        read(directory, path)
    assert "token" not in str(refused.value)


def test_a_link_in_a_triggers_name_is_refused_too(tmp_path: Path) -> None:
    written(tmp_path / "logs", "fine")
    secret = written(tmp_path, "the agent's token", "secret")
    (tmp_path / "logs" / f"{LOG}.trigger.x.log").symlink_to(secret)
    with pytest.raises(LogNotFound, match="it is a link"):
        read(tmp_path / "logs")


# ---- over the poll


class Reader:
    """Somebody at the plane who reads."""

    def __init__(self, plane: FakePlane, *, takes: int = 1000, misdirects: int = 0) -> None:
        self.plane = plane
        self.pieces: list[LogPiece] = []
        self.takes, self.misdirects = takes, misdirects
        plane.reader = self

    def asks(self, path: str = LOG, most: int = 10_000_000) -> None:
        self.plane.command(Verb.STREAM_LOG, stream_id=str(uuid4()), server=str(uuid4()), path=path, most=most)

    def take(self, piece: LogPiece) -> bool | None:
        """None: another API server has the reader."""
        if self.misdirects:
            self.misdirects -= 1
            return None
        if piece.number == len(self.pieces):
            self.pieces.append(piece)
        return len(self.pieces) < self.takes

    @property
    def text(self) -> bytes:
        return b"".join(logs.unsqueeze(piece.content) for piece in self.pieces)

    async def served(self) -> None:
        await self.plane.until(lambda: self.pieces and self.pieces[-1].last)


async def test_a_reader_gets_the_whole_log_in_pieces(plane: FakePlane, agent: AgentUnderTest) -> None:
    async with agent:
        await agent.ready()
        text = "line of a log\n" * 200_000
        written(agent.agent.environments.log_directory, text)
        reader = Reader(plane)
        reader.asks()
        await reader.served()
        assert reader.text.decode() == text
        assert len(reader.pieces) == 4, "three pieces of a megabyte at most, and the end"
        assert reader.pieces[0].files[0].size == len(text)
        lines = [line for line in agent.agent.ledger.read() if line["principal"] == "log reader"]
        assert len(lines) == 4 and lines[0]["what"] == f"log {LOG}", "what left is in the ledger"


async def test_the_reader_is_found_behind_many_api_servers(plane: FakePlane, agent: AgentUnderTest) -> None:
    async with agent:
        await agent.ready()
        written(agent.agent.environments.log_directory, "words\n")
        reader = Reader(plane, misdirects=9)
        reader.asks()
        await reader.served()
        assert reader.text == b"words\n"


@pytest.mark.looptime(resolution=1e-9)  # that no stream is left is seen at the next poll, 25 s later
async def test_a_reader_who_leaves_stops_the_stream(plane: FakePlane, agent: AgentUnderTest) -> None:
    async with agent:
        await agent.ready()
        written(agent.agent.environments.log_directory, "line of a log\n" * 500_000)
        reader = Reader(plane, takes=2)
        reader.asks()
        await plane.until(lambda: len(reader.pieces) == 2 and agent.agent.task_logs.streams.open == 0)
        assert len(reader.pieces) == 2


async def test_a_log_that_is_not_here_is_answered_with_where_it_would_be(
    plane: FakePlane, agent: AgentUnderTest
) -> None:
    async with agent:
        await agent.ready()
        reader = Reader(plane)
        reader.asks("dag_id=other/attempt=1.log")
        await reader.served()
        assert reader.text == b""
        assert "task-logs/dag_id=other/attempt=1.log" in reader.pieces[0].problem


async def test_a_site_that_shows_no_logs_says_so(plane: FakePlane, agent: AgentUnderTest) -> None:
    async with agent.with_settings(live_logs=False):
        await agent.ready()
        written(agent.agent.environments.log_directory, "words\n")
        reader = Reader(plane)
        reader.asks()
        await reader.served()
        assert reader.text == b"" and "does not show its logs" in reader.pieces[0].problem


@pytest.mark.parametrize("arguments", [{}, {"stream_id": "x", "server": "y", "path": 3, "most": -1}])
async def test_a_malformed_wish_for_a_log_does_no_harm(
    plane: FakePlane, agent: AgentUnderTest, arguments: dict[str, Any]
) -> None:
    async with agent:
        await agent.ready()
        command = plane.command(Verb.STREAM_LOG, **arguments)
        await plane.until(lambda: command.id not in plane.commands)


async def test_a_storage_that_does_not_answer_keeps_nothing_back_that_is_here(
    plane: FakePlane, agent: AgentUnderTest
) -> None:
    async with agent:
        await agent.ready()
        written(agent.agent.environments.waiting_logs / "1", "a part that waits\n")
        written(agent.agent.environments.log_directory, "what is written now\n")

        async def never(path: str, into: Path) -> list[str]:
            await asyncio.Event().wait()
            raise AssertionError

        streams = LogStreams(
            plane=agent.agent.plane,
            directory=agent.agent.environments.log_directory,
            waiting=agent.agent.environments.waiting_logs,
            stored=never,
            shown=lambda: True,
            noted=lambda _: nullcontext(),
            on_refused=lambda _: None,
        )
        reader, began = Reader(plane), asyncio.get_running_loop().time()
        streams.start(StreamLog(stream_id=uuid4(), server=uuid4(), path=LOG, most=10_000, within=10))
        await reader.served()
        assert reader.text == b"a part that waits\nwhat is written now\n"
        assert reader.pieces[-1].problem.startswith("the log storage has not answered in 7 s")
        assert asyncio.get_running_loop().time() - began < 10, "its reader waits for that long"
