"""A task's log shown in Airflow while the file stays at the site.

The plane asks with a `stream_log` command in the answer to a poll; the agent reads the files of that one task and posts
them in pieces to `/logs/{stream id}`. The plane keeps no piece longer than it takes the reader to take it.
"""

from __future__ import annotations

import base64
import zlib
from typing import Final
from uuid import UUID

from pydantic import Field

from tradewind_protocol.messages import Message

LARGEST_PIECE: Final = 1024 * 1024
"""Bytes of log in one piece, before compression."""

LARGEST_PATH: Final = 4096


class StreamLog(Message):
    """The arguments of a `stream_log` command."""

    stream_id: UUID
    server: UUID  # the API server whose reader waits; named again with every piece
    path: str = Field(min_length=1, max_length=LARGEST_PATH)  # of the task's log, under the log directory
    most: int = Field(ge=1)  # bytes the reader takes of all files together
    begin: int = Field(
        default=0, ge=0
    )  # the byte of all files together to begin at; 0: the head, and the tail with it
    within: float = Field(default=10.0, gt=0)  # seconds for which the reader waits for the first piece


class LogFile(Message):
    """One file the agent sends."""

    name: str = Field(max_length=LARGEST_PATH)  # where it is at the site, for a person
    size: int = Field(ge=0)  # bytes, when the stream began


class LogGap(Message):
    """What of the log is left out, in bytes of all files together."""

    begin: int = Field(ge=0)
    end: int = Field(ge=0)


class LogPiece(Message):
    """The next piece. Idempotent: a number the plane has taken is not taken again."""

    server: UUID
    number: int = Field(ge=0)  # counts from 0
    files: tuple[LogFile, ...] = Field(default=(), max_length=100)  # with number 0
    content: str = Field(default="", max_length=3 * LARGEST_PIECE, repr=False)  # `squeeze`
    gap: LogGap | None = None  # left out before the content
    last: bool = False
    problem: str = Field(default="", max_length=2000)  # why there is nothing, or no more
    rule: str = Field(default="", max_length=200)  # of the site's owner, that lets no log be read


class LogTaken(Message):
    """`wanted` is False once no reader is left: stop."""

    wanted: bool = True


def path_of(stream_id: UUID) -> str:
    """Where pieces are posted, under `paths.PREFIX`."""
    return f"/logs/{stream_id}"


def squeeze(content: bytes) -> str:
    """`content` compressed, in characters JSON takes."""
    return base64.b64encode(zlib.compress(content, 1)).decode() if content else ""


def unsqueeze(text: str) -> bytes:
    """Undo `squeeze`. Raises ValueError for what it did not write and for more than `LARGEST_PIECE` bytes, before
    they are there."""
    if not text:
        return b""
    try:
        inflater = zlib.decompressobj()
        content = inflater.decompress(base64.b64decode(text, validate=True), LARGEST_PIECE + 1)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"a piece of a log cannot be read: {error}") from None
    if len(content) > LARGEST_PIECE or inflater.unconsumed_tail or not inflater.eof:
        raise ValueError(f"a piece of a log is cut off, or holds more than {LARGEST_PIECE} bytes")
    return content
