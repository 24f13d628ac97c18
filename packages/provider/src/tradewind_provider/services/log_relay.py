"""Pieces of logs on their way from an agent's request to the reader's thread, in the memory of one API server.

Nothing is stored: a piece waits here until its reader has taken it, at most `_AHEAD` of them, and goes with the reader.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from tradewind_protocol.errors import Code, Refused
from tradewind_protocol.logs import LARGEST_PIECE, LogFile, LogGap, LogPiece, unsqueeze

PAGE_BEGIN: Final = "log_begin"
PAGE_AGENT: Final = "log_agent"
"""Parameters of a request for a log that ask for one page of a large one."""

MOST_STREAMS = 16
"""Readers at once in one API server: each holds one of its threads."""

_AHEAD = 2
_TAKEN_WITHIN = 20.0  # seconds a piece may wait for its reader


class SourceEnded(Exception):
    """The agent sent nothing for too long, or gave a reason why there is no more."""


class LogStream:
    """One log on its way to one reader. `put` is called on the event loop, `pieces` by the reader's thread."""

    def __init__(self, stream_id: UUID, session_id: UUID, *, most: int) -> None:
        self.id = stream_id
        self.session_id = session_id  # whose pieces are taken
        self._left = most + LARGEST_PIECE  # bytes
        self.files: tuple[LogFile, ...] = ()
        self._changed = threading.Condition()
        self._pieces: deque[bytes | LogGap] = deque()
        self._next = 0
        self._last = False
        self._problem = ""
        self._rule = ""
        self._closed = False
        self._room: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # ---- the agent's side

    async def put(self, piece: LogPiece) -> bool:
        """Take a piece once there is room; False when its reader has left.

        Raises Refused MALFORMED for a piece that cannot be read, CONFLICT for one that comes out of turn.
        """
        try:
            content = unsqueeze(piece.content)
        except ValueError as error:
            raise Refused(Code.MALFORMED, str(error)) from None
        if not await self._until_room():
            return False
        with self._changed:
            if self._closed:
                return False
            if piece.number < self._next:
                return not self._last
            if piece.number > self._next or self._last:
                raise Refused(Code.CONFLICT, f"piece {piece.number} of a log came where {self._next} is next")
            self._next += 1
            if piece.number == 0:
                self.files = piece.files
            self._left -= len(content)
            if self._left < 0:
                self._last, self._problem = True, "the agent sent more than it was asked for"
            else:
                self._last, self._problem, self._rule = piece.last, piece.problem, piece.rule
                if piece.gap is not None:
                    self._pieces.append(piece.gap)
                if content:
                    self._pieces.append(content)
            self._changed.notify_all()
            return not self._last

    async def _until_room(self) -> bool:
        deadline = time.monotonic() + _TAKEN_WITHIN
        while True:
            with self._changed:
                if self._closed or len(self._pieces) < _AHEAD:
                    return not self._closed
                self._loop, self._room = asyncio.get_running_loop(), asyncio.Event()
                room = self._room
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            try:
                await asyncio.wait_for(room.wait(), left)
            except asyncio.TimeoutError:
                continue  # looked at once more: the reader may have taken a piece at this moment

    # ---- the reader's side

    def wait_first(self, timeout: float) -> bool:
        """True once the agent has answered at all, False after `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: self._next > 0 or self._closed, timeout) and self._next > 0

    @property
    def problem(self) -> str:
        """Why the agent has no more, in its own words; empty while it has not given a reason."""
        with self._changed:
            return self._problem

    @property
    def rule(self) -> str:
        """The rule of the site's owner that lets no log be read; empty when the agent has not named one."""
        with self._changed:
            return self._rule

    def pieces(self, *, silence: float, longest: float = 300.0) -> Iterator[bytes | LogGap]:
        """The content as it comes, and what of it is left out. Raises SourceEnded with a sentence when it is cut short: after `silence` seconds
        without a piece, after `longest` seconds in all."""
        deadline = time.monotonic() + longest
        while True:
            if time.monotonic() > deadline:
                raise SourceEnded(f"the agent has not come to the end in {longest:g} s")
            with self._changed:
                changed = self._changed.wait_for(lambda: self._pieces or self._last or self._closed, silence)
                piece = self._pieces.popleft() if self._pieces else None
                ended = piece is None and (self._last or self._closed)
                problem = self._problem
                self._make_room()
            if piece is not None:
                yield piece
            elif ended:
                if problem:
                    raise SourceEnded(problem)
                return
            elif not changed:
                raise SourceEnded(f"the agent sent nothing more for {silence:g} s")

    def close(self) -> None:
        """The reader has gone: the agent hears so with its next piece. Idempotent."""
        with self._changed:
            self._closed = True
            self._pieces.clear()
            self._make_room()
            self._changed.notify_all()

    def _make_room(self) -> None:
        if self._room is not None and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._room.set)
            except RuntimeError:  # the loop is closed: no request waits for room
                pass
            self._room = self._loop = None


@dataclass(frozen=True)
class LogPage:
    """The part of one agent's log that is asked for."""

    agent: str
    begin: int  # byte of the log


class LogReader:
    """A reader of logs, whose request opens streams."""

    def __init__(self, page: LogPage | None = None) -> None:
        self.page = page  # None: the head and the tail of everything
        self._gone = False
        self._streams: list[LogStream] = []

    def opened(self, stream: LogStream) -> None:
        self._streams.append(stream)
        if self._gone:
            stream.close()

    def left(self) -> None:
        """Close what was opened, and what will be."""
        self._gone = True
        for stream in list(self._streams):
            stream.close()


READER: ContextVar[LogReader | None] = ContextVar("tradewind_log_reader", default=None)
"""The reader whose request is being answered, when a middleware watches whether its client is still there."""


class LogRelay:
    """The streams of this process, and the name by which agents find it again."""

    def __init__(self) -> None:
        self.server = uuid4()
        self._streams: dict[UUID, LogStream] = {}
        self._lock = threading.Lock()

    @property
    def open_streams(self) -> int:
        return len(self._streams)

    def open(self, session_id: UUID, *, most: int) -> LogStream:
        """A stream that session may send about `most` bytes to. It is closed when the reader leaves. Raises Refused LIMIT_REACHED when too many are read at once."""
        with self._lock:
            if len(self._streams) >= MOST_STREAMS:
                raise Refused(
                    Code.LIMIT_REACHED,
                    f"{MOST_STREAMS} logs are read from agents through this API server at this moment",
                    remedy="Look again in a few seconds.",
                )
            stream = LogStream(uuid4(), session_id, most=most)
            self._streams[stream.id] = stream
        if (reader := READER.get()) is not None:
            reader.opened(stream)
        return stream

    def close(self, stream: LogStream) -> None:
        """Idempotent."""
        with self._lock:
            self._streams.pop(stream.id, None)
        stream.close()

    def close_all(self) -> None:
        """This API server is about to stop."""
        with self._lock:
            streams = list(self._streams.values())
        for stream in streams:
            stream.close()

    def find(self, stream_id: UUID, session_id: UUID) -> LogStream | None:
        """The stream, when it is that session's to send to; None also when it is over."""
        with self._lock:
            stream = self._streams.get(stream_id)
        return stream if stream is not None and stream.session_id == session_id else None


_RELAY = LogRelay()  # the process's: Airflow makes its reader of task logs by itself, and gives it no plane


def relay() -> LogRelay:
    """The relay of this process."""
    return _RELAY
