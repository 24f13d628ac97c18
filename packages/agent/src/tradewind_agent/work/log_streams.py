"""Sending a task's log to a user who has it open in Airflow, for as long as it is open."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

import structlog

from tradewind_agent.errors import AgentError
from tradewind_agent.kits import aiotasks, aiotime
from tradewind_agent.plane.client import PlaneClient
from tradewind_agent.plane.log_sender import LogSender
from tradewind_agent.work import log_windows
from tradewind_agent.work.log_files import LogFiles, LogNotFound, OpenLog
from tradewind_agent.work.log_windows import LogWindowGap
from tradewind_protocol.errors import Refused
from tradewind_protocol.logs import LARGEST_PIECE, LogFile, LogGap, LogPiece, StreamLog, squeeze

log = structlog.get_logger(__name__)

MOST = 16
"""Logs sent at once; more readers than that are asked to look again."""

_STORAGES_PART = 0.7
"""Of the time for which a reader waits, how much the storage has."""

Noted = Callable[[str], AbstractContextManager[None]]

RULE: Final = "live_logs"
"""The owner's rule about logs, and the setting."""


class LogStreams:
    """Carries out `stream_log`: sends what the site's log storage has, then what is on this machine's disk. Opens only what
    `log_files` finds; a site that shows no logs answers where they are."""

    def __init__(
        self,
        *,
        plane: PlaneClient,
        directory: Path,
        waiting: Path,
        stored: Callable[[str, Path], Awaitable[list[str]]],
        shown: Callable[[], bool],
        noted: Noted,
        on_refused: Callable[[str], None],
    ) -> None:
        self._plane = plane
        self._directory = directory
        self._waiting = waiting  # of logs that the storage has not taken yet, each below a folder of its own
        self._stored = stored  # writes what the storage has into a folder; where each file came from
        self._shown = shown
        self._on_refused = on_refused  # of which log; is to write it into the ledger
        self._noted = noted  # requests made inside are written into the ledger with this text
        self._tasks: dict[UUID, asyncio.Task[None]] = {}

    @property
    def open(self) -> int:
        return len(self._tasks)

    def start(self, asked: StreamLog) -> None:
        """Begin to send. Idempotent while it is sent."""
        if asked.stream_id not in self._tasks:
            task = asyncio.create_task(self._send(asked), name="log stream")
            self._tasks[asked.stream_id] = task
            task.add_done_callback(lambda _: self._tasks.pop(asked.stream_id, None))

    async def close(self) -> None:
        """Stop sending."""
        await aiotasks.cancel(*self._tasks.values())

    async def _send(self, asked: StreamLog) -> None:
        sender = LogSender(self._plane, asked.stream_id)
        try:
            with self._noted(f"log {asked.path}"):
                await (self._pieces(asked, sender) if self._shown() else self._refuse(asked, sender))
        except (AgentError, Refused) as error:
            log.warning(
                "A log was not sent to its reader", action="log_not_sent", path=asked.path, reason=str(error)
            )
        except Exception:
            log.exception("A log was not sent to its reader", action="log_not_sent", path=asked.path)
        finally:
            await sender.close()

    async def _refuse(self, asked: StreamLog, sender: LogSender) -> None:
        self._on_refused(asked.path)
        log.warning(
            "A rule of the site refuses a log to its reader",
            action="log_refused",
            path=asked.path,
            rule=RULE,
        )
        where = self._directory / asked.path
        last = self._last(asked, 0, f"this site does not show its logs elsewhere; it is at {where}")
        await sender.send(last.model_copy(update={"rule": RULE}))

    async def _pieces(self, asked: StreamLog, sender: LogSender) -> None:
        if len(self._tasks) > MOST:
            await sender.send(
                self._last(asked, 0, f"{MOST} logs of this agent are read now; look again soon")
            )
            return
        with ExitStack() as stack:
            files, problem = await self._open(stack, asked)
            if problem and not files:
                await sender.send(self._last(asked, 0, problem))
                return
            await self._content(asked, sender, files, problem)

    async def _open(self, stack: ExitStack, asked: StreamLog) -> tuple[tuple[OpenLog, ...], str]:
        """The parts of the log, and why one of them is missing: the storage has what was uploaded, in whichever agent's disk
        it was; what waits for its upload and what is written now are here. A storage that does not answer in time
        keeps nothing from the reader that is here."""
        path, patience = asked.path, _STORAGES_PART * asked.within
        folder = Path(
            stack.enter_context(TemporaryDirectory(prefix="tradewind-log-", ignore_cleanup_errors=True))
        )
        found: list[OpenLog] = []
        problem = missing = ""
        try:
            for number, name in enumerate(await aiotime.within(self._stored(path, folder), patience)):
                found += [
                    replace(each, name=name)
                    for each in await asyncio.to_thread(_opened, stack, folder, str(number))
                ]
        except asyncio.TimeoutError:
            problem = (
                f"the log storage has not answered in {patience:.3g} s; what is on this machine is shown"
            )
        except (AgentError, OSError) as error:
            problem = str(error)
        parts = await asyncio.to_thread(lambda: sorted(self._waiting.glob("*")))
        for directory in (*parts, self._directory):
            try:
                found += await asyncio.to_thread(_opened, stack, directory, path)
            except LogNotFound as error:
                missing = str(error) if directory == self._directory else missing
        some = [each for each in found if each.size] or found[:1]
        return tuple(some), problem or ("" if some else missing)

    async def _content(
        self, asked: StreamLog, sender: LogSender, files: tuple[OpenLog, ...], problem: str
    ) -> None:
        listed = tuple(LogFile(name=each.name, size=each.size) for each in files)
        pieces = log_windows.content(files, most=asked.most, piece=LARGEST_PIECE, begin=asked.begin)
        number = 0
        while (data := await asyncio.to_thread(next, pieces, None)) is not None:
            gap = LogGap(begin=data.begin, end=data.end) if isinstance(data, LogWindowGap) else None
            content = "" if isinstance(data, LogWindowGap) else await asyncio.to_thread(squeeze, data)
            piece = LogPiece(
                server=asked.server,
                number=number,
                files=listed if number == 0 else (),
                content=content,
                gap=gap,
            )
            if not await sender.send(piece):
                log.debug("The reader closed the log", action="log_reader_left", path=asked.path)
                return
            number += 1
        last = self._last(asked, number, problem)
        await sender.send(last.model_copy(update={"files": listed}) if number == 0 else last)

    @staticmethod
    def _last(asked: StreamLog, number: int, problem: str) -> LogPiece:
        return LogPiece(server=asked.server, number=number, last=True, problem=problem[:2000])


def _opened(stack: ExitStack, directory: Path, path: str) -> tuple[OpenLog, ...]:
    """The files of a log below a folder, open until the stack is closed. Raises LogNotFound. Blocks."""
    return stack.enter_context(LogFiles(directory, path)).files
