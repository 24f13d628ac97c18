"""What is sent of a log: all of it, or its head and its tail when it is larger than its reader takes, or one page.

Bytes are counted over all files of the log together. Lines are kept whole. One that is longer than all there is room for
is shortened, and stays a line of JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass

from tradewind_agent.work.log_files import OpenLog

_LOOK = 65_536  # bytes read at once in search of a line's end
_REPAIRS = 16  # characters dropped at most from the end of a cut line of JSON: an escape has six


@dataclass(frozen=True)
class LogWindowGap:
    """What is left out between what came before and what follows."""

    begin: int
    end: int


@dataclass(frozen=True)
class _Part:
    """A file as a part of the log."""

    file: OpenLog
    begin: int  # where in the log its first byte is
    end: int  # behind its last whole line


def content(
    files: tuple[OpenLog, ...], *, most: int, piece: int, begin: int = 0
) -> Iterator[bytes | LogWindowGap]:
    """What the files held when they were opened, at most `piece` bytes at a time and about `most` in all.

    Ends at the end of a line: what a writer is in the middle of is left for the next look.
    """
    parts = list(_parts(files))
    total = parts[-1].end if parts else 0
    at = 0
    for start, end in _windows(total, most=most, begin=begin):
        for part in parts:
            low, high = max(start, part.begin, at), min(end, part.end)
            if low >= high:
                continue
            for first, last, data in _lines(part, low, high, piece=piece, floor=at):
                if first > at:
                    yield LogWindowGap(at, first)
                at = last
                yield data
    if at < total:
        yield LogWindowGap(at, total)


def _parts(files: tuple[OpenLog, ...]) -> Iterator[_Part]:
    at = 0
    for file in files:
        end = _behind_line(file.descriptor, file.size) if file.still_written else file.size
        yield _Part(file, at, at + end)
        at += end


def _windows(total: int, *, most: int, begin: int) -> Iterator[tuple[int, int]]:
    """From where to where. The tail begins at a multiple of a quarter, and not a byte further with each that is written:
    who follows the log counts its lines."""
    if begin > 0:
        yield begin, min(begin + most, total)
    elif total <= most:
        yield 0, total
    else:
        quarter = max(1, most // 4)
        yield 0, quarter
        yield total - 3 * quarter + (-(total - 3 * quarter)) % quarter, total


def _lines(part: _Part, low: int, high: int, *, piece: int, floor: int) -> Iterator[tuple[int, int, bytes]]:
    """Whole lines of a part between two bytes of the log: from where, to where, and what. `floor`: what is before was
    sent."""
    descriptor, size = part.file.descriptor, part.end - part.begin
    start, end = low - part.begin, high - part.begin
    if start > 0:
        start = _next_line(descriptor, start, end)
    if end < size:
        end = max(start, _behind_line(descriptor, end, least=start))
    if start >= end:
        # nothing but a piece of one line: its beginning, if that was not sent and is not too far away
        begun = _behind_line(descriptor, low - part.begin, least=max(0, floor - part.begin))
        length = _next_line(descriptor, begun + 1, size) - begun
        room = max(1, (high - low) // 4)
        if length > 0:
            yield part.begin + begun, part.begin + begun + length, _shortened(part.file, begun, length, room)
        return
    at = start
    while at < end and (data := os.pread(descriptor, min(piece, end - at), at)):
        at += len(data)
        more = b"" if at < end or data.endswith(b"\n") else b"\n"
        yield part.begin + at - len(data), part.begin + at, data
        if more:
            yield part.begin + at, part.begin + at, more


def _behind_line(descriptor: int, before: int, *, least: int = 0) -> int:
    """Behind the last end of a line before that byte; `least` when there is none after it."""
    end = before
    while end > least:
        begin = max(least, end - _LOOK)
        newline = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        end = begin
    return least


def _next_line(descriptor: int, at: int, end: int) -> int:
    """Where the first line begins that does not begin before `at`; `end` when none does."""
    at = max(0, at - 1)
    while at < end and (data := os.pread(descriptor, min(_LOOK, end - at), at)):
        newline = data.find(b"\n")
        if newline >= 0:
            return at + newline + 1
        at += len(data)
    return end


def _shortened(file: OpenLog, at: int, length: int, room: int) -> bytes:
    """The beginning of a line, as a line of JSON of about `room` bytes that says how long it is and where it is whole."""
    text = os.pread(file.descriptor, min(room, length), at).decode("utf-8", "replace").rstrip("\n")
    said = f" … (a line of {length} bytes, cut here; it is whole in {file.name} from byte {at} on)"
    for cut in range(min(_REPAIRS, len(text))):
        try:
            line = json.loads(text[: len(text) - cut] + '"}')
        except ValueError:
            continue
        if isinstance(line, dict) and isinstance(line.get("event"), str):
            line["event"] += said
            return json.dumps(line).encode() + b"\n"
    return json.dumps({"event": text + said}).encode() + b"\n"
