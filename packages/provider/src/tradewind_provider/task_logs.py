"""Airflow's way to a task's log that stays at the site.

Opening a log asks the agents that ran the task. Their lines pass through the memory of this process to the reader. Tries
that no agent ran are Airflow's own: they are read as they would be without us, from the plane's log folder, its workers'
log servers or the remote log storage the plane is configured with.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

from tradewind_protocol.errors import Refused
from tradewind_protocol.logs import LogGap, StreamLog
from tradewind_provider import settings as provider_settings
from tradewind_provider.airflow import database, task_log_files, trigger_jobs
from tradewind_provider.airflow.task_log_files import Lines
from tradewind_provider.clock import Clock, utc_now
from tradewind_provider.domain.agents import HeartbeatLimits
from tradewind_provider.services import log_sources
from tradewind_provider.services.log_relay import (
    PAGE_AGENT,
    PAGE_BEGIN,
    READER,
    LogPage,
    LogRelay,
    LogStream,
    SourceEnded,
    relay,
)
from tradewind_provider.services.log_sources import LogSource, LogSources, TaskTry
from tradewind_provider.settings import Settings

log = logging.getLogger(__name__)

_LONGEST_PROBLEM = 500  # characters of an agent's words


@dataclass(frozen=True)
class _Asked:
    source: LogSource
    stream: LogStream
    command_id: UUID


class TaskLogs:
    """Airflow's RemoteLogIO. Blocks: Airflow calls it in a thread of the reader's request.

    `storage` is the remote log storage that the plane is configured with, if any.
    """

    def __init__(
        self,
        *,
        storage: Any = None,
        settings: Settings | None = None,
        clock: Clock = utc_now,
        through: LogRelay | None = None,
    ) -> None:
        self._storage = storage
        self._given = settings
        self._clock = clock
        self._relay = through or relay()

    @property
    def processors(self) -> tuple[Any, ...]:
        """Those of the storage."""
        return tuple(getattr(self._storage, "processors", ()))

    def upload(self, path: os.PathLike[str] | str, ti: Any = None) -> None:
        """Nothing without a storage: the log stays where it was written."""
        if self._storage is not None:
            self._storage.upload(path, ti)

    def read(self, relative_path: str, ti: Any) -> tuple[list[str], list[str]]:
        """As `stream`, whole."""
        sources, streams = self.stream(relative_path, ti)
        return sources, ["".join(f"{line}\n" for line in lines) for lines in streams]

    def stream(self, relative_path: str, ti: Any) -> tuple[list[str], list[Lines]]:
        """Where the log comes from, in sentences, and its lines, one generator for each part of it.

        A try that agents ran or shall run has at least one line: when the log cannot be had it says where it is. Of
        any other try this is what the storage has, nothing without one, and Airflow looks where it always does.
        """
        one = _task_try(ti)
        with database.create_session() as db:
            found = log_sources.find(db, one, now=self._clock(), beats=self._beats)
        if found.elsewhere:
            return self._from_storage(relative_path, ti)
        self._claim(ti, found)
        if (page := _page()) is not None:
            theirs = [each for each in (*found.sources, *found.readers) if each.agent == page.agent]
            sources, lines = self._from_agents(relative_path, one, theirs)
            return sources, lines or [self._notice(f"No agent {page.agent!r} has run this try of the task.")]
        finished = not task_log_files.unfinished(ti)
        if finished and (stored := self._stored(relative_path, ti))[1]:
            return stored
        sources, lines = self._from_agents(relative_path, one, found.sources, readers=found.readers)
        if finished:
            # Airflow looks there itself only while the task is unfinished, or when there are no lines yet
            here, parts = task_log_files.from_log_folder(relative_path)
            sources, lines = sources + here, lines + parts
        if link := _link(self._settings.log_link, relative_path, one):
            sources = [link, *sources]
            lines = [*lines, self._notice(f"This log in the site's log platform: {link}")]
        if lines:
            return sources, lines
        return ["No agent has run this try"], [self._notice("No agent has run this try of the task.")]

    # ---- inside

    @property
    def _settings(self) -> Settings:
        return self._given or provider_settings.current()

    @property
    def _beats(self) -> HeartbeatLimits:
        cadence = self._settings.cadence
        return HeartbeatLimits(cadence.poll, cadence.lost_after)

    def _claim(self, ti: Any, found: LogSources) -> None:
        """Keep Airflow from looking for the log where agents' logs are not."""
        if found.on_agents:
            task_log_files.ask_no_log_server(ti)
        if trigger_jobs.session_of(job := getattr(ti, "triggerer_job", None)) is not None:
            task_log_files.ask_no_log_server(job)
        if found.executor:
            task_log_files.belongs_to_executor(ti, found.executor)

    def _from_storage(self, path: str, ti: Any) -> tuple[list[str], list[Lines]]:
        if self._storage is None:
            return [], []
        return task_log_files.from_storage(self._storage, path, ti)

    def _stored(self, path: str, ti: Any) -> tuple[list[str], list[Lines]]:
        """As `_from_storage`, and nothing when the storage fails: the agents may have the log, too."""
        try:
            return self._from_storage(path, ti)
        except Exception as error:
            log.warning(
                "The remote log storage does not answer for %s: %s",
                path,
                type(error).__name__,
                extra={"action": "log_storage_failed"},
            )
            return [], []

    def _from_agents(
        self, path: str, one: TaskTry, agents: list[LogSource], *, readers: Sequence[LogSource] = ()
    ) -> tuple[list[str], list[Lines]]:
        sources: list[str] = []
        lines: list[Lines] = []
        asked = [(source, self._ask(source, path)) for source in agents]
        until = time.monotonic() + self._settings.live_log_seconds
        stored = False  # what agents that are gone put into the site's log storage, read by another agent
        failed: list[str] = []  # why the other agents have not read it
        for source in readers:
            if isinstance(answer := self._ask(source, path), _Asked):
                self._wait_first(answer, one, until)
                if stored := bool(answer.stream.files):
                    sources += [
                        f"agent {source.agent}: {file.name} ({file.size} bytes)"
                        for file in answer.stream.files
                    ]
                    lines.append(_started(self._lines(answer, path, one)))
                    break
                if problem := answer.stream.problem[:_LONGEST_PROBLEM]:
                    failed.append(f"Agent {source.agent} was asked for the log, too: {problem}")
                self._done(answer)
        for source, answer in asked:
            if isinstance(answer, str):
                if source.certain:
                    sources.append(answer)
                    if not stored:
                        lines.append(self._notice(answer))
                continue
            self._wait_first(answer, one, until)
            if answer.stream.files:
                files = answer.stream.files
                sources += [f"agent {source.agent}: {file.name} ({file.size} bytes)" for file in files]
            elif not source.certain:
                self._done(answer)
                continue
            lines.append(_started(self._lines(answer, path, one)))
        if not stored:
            lines += [self._notice(sentence) for sentence in failed]
        return sources, lines

    def _wait_first(self, asked: _Asked, one: TaskTry, until: float) -> None:
        """Wait for the first piece. A refusal by a rule of the site's owner is an event."""
        asked.stream.wait_first(max(0.0, until - time.monotonic()))
        if not (rule := asked.stream.rule):
            return
        try:
            with database.create_session() as db:
                log_sources.note_refused(db, asked.source, one, rule, now=self._clock())
        except Exception as error:  # the reader sees it in any case
            log.warning(
                "A refused log was not written into the audit trail: %s",
                type(error).__name__,
                extra={"action": "log_refusal_not_noted"},
            )

    def _ask(self, source: LogSource, path: str) -> _Asked | str:
        if source.session_id is None:
            return f"The log is at {_place(source, path)}; {source.absent}."
        most = self._settings.live_log_bytes
        try:
            stream = self._relay.open(source.session_id, most=most)
            page = _page()
            wanted = StreamLog(
                stream_id=stream.id,
                server=self._relay.server,
                path=path,
                most=most,
                begin=page.begin if page else 0,
                within=self._settings.live_log_seconds,
            )
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

    def _lines(self, asked: _Asked, path: str, one: TaskTry) -> Lines:
        waited = self._settings.live_log_seconds
        try:
            yield ""  # see `_started`
            if not asked.stream.wait_first(0):
                yield from _note(
                    self._clock,
                    f"The log is at {_place(asked.source, path)}; the agent has not answered within {waited:g} s.",
                )
                return
            for line in _split(asked.stream.pieces(silence=max(waited, 20.0))):
                if isinstance(line, LogGap):
                    yield from _note(self._clock, _left_out(line, asked, one))
                else:
                    yield line
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
                "A log command was not removed: %s",
                type(error).__name__,
                extra={"action": "log_command_left"},
            )

    def _notice(self, sentence: str) -> Lines:
        return _note(self._clock, sentence)


def install() -> None:
    """Let this API server read logs from agents."""
    task_log_files.install(TaskLogs, lambda storage: TaskLogs(storage=storage))
    log.info(
        "Logs of tasks that ran on agents are read from the agents", extra={"action": "task_logs_from_agents"}
    )


def while_running(ti: Any, try_number: int) -> tuple[list[str], list[str]]:
    """What the executor answers for a running task: nothing but a word when `TaskLogs` is asked anyway, else the log,
    so that it can be followed while its storage has nothing yet."""
    if task_log_files.remote_is(TaskLogs):
        return ["The task runs; its agent is asked for the log."], []
    return TaskLogs().read(task_log_files.path_of(ti, try_number), ti)


def _started(lines: Lines) -> Lines:
    """The generator past its first, empty line: one that has begun ends its stream even when it is never read."""
    next(lines)
    return lines


def _page() -> LogPage | None:
    """The part of a large log that the request in hand asks for."""
    reader = READER.get()
    return reader.page if reader is not None else None


def _link(pattern: str, path: str, one: TaskTry) -> str:
    """The log's address by the owner's pattern. Names are quoted: they come from Dags."""
    values = {
        "dag_id": one.dag_id,
        "run_id": one.run_id,
        "task_id": one.task_id,
        "map_index": str(one.map_index),
        "try_number": str(one.try_number),
        "path": path,
    }
    return pattern.format(**{name: quote(value, safe="") for name, value in values.items()})


def _left_out(gap: LogGap, asked: _Asked, one: TaskTry) -> str:
    """What is not shown, and the address of its first page."""
    page = task_log_files.address_of(
        one.dag_id,
        one.run_id,
        one.task_id,
        one.try_number,
        map_index=one.map_index,
        parameters={PAGE_AGENT: asked.source.agent, PAGE_BEGIN: str(gap.begin)},
    )
    return f"{gap.end - gap.begin} bytes of the log are not shown here, from byte {gap.begin} on; they begin at {page}"


def _split(pieces: Iterable[bytes | LogGap]) -> Iterator[str | LogGap]:
    """Lines, whole however long they are: what an agent sends has an end that the stream sees to."""
    rest: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, LogGap):
            if rest:
                yield b"".join(rest).decode("utf-8", "replace")
            rest = []
            yield piece
            continue
        *whole, last = piece.split(b"\n")
        if whole:
            whole[0] = b"".join((*rest, whole[0]))
            rest = []
        for line in whole:
            yield line.decode("utf-8", "replace")
        if last:
            rest.append(last)
    if rest:
        yield b"".join(rest).decode("utf-8", "replace")


def _note(clock: Clock, sentence: str) -> Lines:
    yield json.dumps(
        {"timestamp": clock().isoformat(), "level": "warning", "event": sentence, "logger": "tradewind"}
    )


def _place(source: LogSource, path: str) -> str:
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
