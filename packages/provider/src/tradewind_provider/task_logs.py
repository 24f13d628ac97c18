"""Airflow's way to a task's log that stays at the site, on a plane without a remote log storage.

Opening a log asks the agents that ran the task. Their lines pass through the memory of this process to the reader.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tradewind_protocol.errors import Refused
from tradewind_protocol.logs import LARGEST_PIECE, StreamLog
from tradewind_provider import settings as provider_settings
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.domain.agents import Beats
from tradewind_provider.seams import database, task_log_files, trigger_jobs
from tradewind_provider.services import log_sources
from tradewind_provider.services.log_relay import Relay, SourceEnded, Stream, relay
from tradewind_provider.services.log_sources import Source, TaskTry
from tradewind_provider.settings import Settings

log = logging.getLogger(__name__)

Lines = Generator[str, None, None]


@dataclass(frozen=True)
class _Asked:
    source: Source
    stream: Stream
    command_id: UUID


class TaskLogs:
    """Airflow's RemoteLogIO. Blocks: Airflow calls it in a thread of the reader's request."""

    processors: tuple[Any, ...] = ()

    def __init__(
        self, *, settings: Settings | None = None, clock: Clock = utc_now, through: Relay | None = None
    ) -> None:
        self._given = settings
        self._clock = clock
        self._relay = through or relay()

    def upload(self, path: os.PathLike[str] | str, ti: Any = None) -> None:
        """Nothing: the log stays where it was written."""

    def read(self, relative_path: str, ti: Any) -> tuple[list[str], list[str]]:
        """As `stream`, whole."""
        sources, streams = self.stream(relative_path, ti)
        return sources, ["".join(f"{line}\n" for line in lines) for lines in streams]

    def stream(self, relative_path: str, ti: Any) -> tuple[list[str], list[Lines]]:
        """Where the log comes from, in sentences, and its lines, one generator for each agent that has a part of it.

        There is always at least one line: when the log cannot be had it says where it is.
        """
        one = _task_try(ti)
        task_log_files.ask_no_log_server(ti)
        with database.create_session() as db:
            sources = log_sources.find(db, one, now=self._clock(), beats=self._beats)
        if not sources:
            return ["No agent has run this try"], [
                _started(self._told("No agent has run this try of the task."))
            ]
        said: list[str] = []
        lines: list[Lines] = []
        asked = [(source, self._ask(source, relative_path)) for source in sources]
        until = time.monotonic() + self._settings.live_log_seconds
        for source, answer in asked:
            if isinstance(answer, str):
                if source.certain:
                    said.append(answer)
                    lines.append(_started(self._told(answer)))
                continue
            answer.stream.wait_first(max(0.0, until - time.monotonic()))
            if answer.stream.files:
                files = answer.stream.files
                said += [f"agent {source.agent}: {file.name} ({file.size} bytes)" for file in files]
            elif not source.certain:
                self._done(answer)
                continue
            lines.append(_started(self._lines(answer, relative_path)))
        return said, lines or [_started(self._told("There is no log of this try."))]

    # ---- inside

    @property
    def _settings(self) -> Settings:
        return self._given or provider_settings.current()

    @property
    def _beats(self) -> Beats:
        cadence = self._settings.cadence
        return Beats(cadence.poll, cadence.lost_after)

    def _ask(self, source: Source, path: str) -> _Asked | str:
        if source.session_id is None:
            return f"The log is at {_place(source, path)}; {source.absent}."
        most = self._settings.live_log_bytes
        try:
            stream = self._relay.open(source.session_id, most=most)
            wanted = StreamLog(stream_id=stream.id, server=self._relay.server, path=path, most=most)
        except (Refused, ValueError) as error:
            return f"The log is at {_place(source, path)}: {error}"
        try:
            with database.create_session() as db:
                command_id = log_sources.ask(
                    db, source.session_id, wanted, asked_by="log reader", now=self._clock()
                )
        except BaseException:
            self._relay.close(stream)
            raise
        return _Asked(source, stream, command_id)

    def _lines(self, asked: _Asked, path: str) -> Lines:
        waited = self._settings.live_log_seconds
        try:
            yield ""  # see `_started`
            if not asked.stream.wait_first(0):
                yield from _note(
                    self._clock,
                    f"The log is at {_place(asked.source, path)}; the agent has not answered within {waited:g} s.",
                )
                return
            yield from _split(asked.stream.pieces(silence=max(waited, 20.0)))
        except SourceEnded as ended:
            yield from _note(self._clock, f"Agent {asked.source.agent}: {ended}.")
        finally:
            self._done(asked)

    def _done(self, asked: _Asked) -> None:
        self._relay.close(asked.stream)
        try:
            with database.create_session() as db:
                log_sources.forget(db, [asked.command_id])
        except Exception as error:  # the history's own clean-up takes the row
            log.warning(
                "A log command is left: %s", type(error).__name__, extra={"action": "log_command_left"}
            )

    def _told(self, sentence: str) -> Lines:
        yield ""
        yield from _note(self._clock, sentence)


def install() -> None:
    """Let this API server read logs from agents, unless a remote log storage is configured."""
    if task_log_files.install(TaskLogs()):
        log.info("Task logs are read from the agents", extra={"action": "task_logs_from_agents"})


def while_running(ti: Any, try_number: int) -> tuple[list[str], list[str]]:
    """What the executor answers for a running task: nothing but a word when `TaskLogs` is asked anyway, else the log,
    so that it can be followed while its storage has nothing yet."""
    if task_log_files.remote_is(TaskLogs):
        return ["The task runs; its agent is asked for the log."], []
    return TaskLogs().read(task_log_files.path_of(ti, try_number), ti)


def _started(lines: Lines) -> Lines:
    """The generator past its first, empty line: one that has begun ends its stream even when nobody ever reads it."""
    next(lines)
    return lines


def _split(pieces: Any) -> Lines:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
        if len(rest) > LARGEST_PIECE:
            yield rest.decode("utf-8", "replace")
            rest = b""
    if rest:
        yield rest.decode("utf-8", "replace")


def _note(clock: Clock, sentence: str) -> Lines:
    yield json.dumps(
        {"timestamp": clock().isoformat(), "level": "warning", "event": sentence, "logger": "tradewind"}
    )


def _place(source: Source, path: str) -> str:
    host = f" (host {source.host})" if source.host else ""
    return f"the site of agent {source.agent}{host}, in task-logs/{path} of its state directory"


def _task_try(ti: Any) -> TaskTry:
    return TaskTry(
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        task_id=ti.task_id,
        map_index=ti.map_index,
        try_number=ti.try_number,
        hostname=ti.hostname or "",
        triggerer_session=trigger_jobs.session_of(getattr(ti, "triggerer_job", None)),
    )
