"""A value as JSON text in pieces, written and read, so that a large one is not held as text a second time."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from itertools import islice
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Final

_LARGE: Final = 1024 * 1024  # characters: a string above it is escaped in parts
_DEPTH: Final = 8  # levels in which large strings are looked for; what is below is encoded at once
_WIDTH: Final = 1000  # members of a list or dict above which it is encoded in parts, whatever they are


def encode(value: Any, *, piece: int) -> Iterator[bytes]:
    """What `json.dumps` makes of `value`, in pieces of `piece` bytes, the last one smaller. Raises TypeError for what is no
    JSON, at the latest when the part is reached that is none."""
    rest = bytearray()
    for text in _texts(value, _DEPTH):
        for start in range(0, len(text), piece):
            rest += text[start : start + piece].encode("ascii")
            while len(rest) >= piece:
                yield bytes(rest[:piece])
                del rest[:piece]
    if rest:
        yield bytes(rest)


def _texts(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str) and len(value) > _LARGE:
        yield '"'
        for start in range(0, len(value), _LARGE):
            yield json.dumps(value[start : start + _LARGE])[1:-1]
        yield '"'
    elif not _has_large(value, depth):
        yield json.dumps(value)
    elif len(value) > _WIDTH:
        yield from _wide(value)
    elif isinstance(value, dict):
        for number, (key, member) in enumerate(value.items()):
            yield ("{" if number == 0 else ", ") + json.dumps({key: 0})[1:-2]  # the key as json writes it
            yield from _texts(member, depth - 1)
        yield "}"
    else:
        for number, member in enumerate(value):
            yield "[" if number == 0 else ", "
            yield from _texts(member, depth - 1)
        yield "]"


def _wide(value: Any) -> Iterator[str]:
    members = iter(value.items() if isinstance(value, dict) else value)
    kind, (opening, closing) = (dict, "{}") if isinstance(value, dict) else (list, "[]")
    while part := kind(islice(members, _WIDTH)):
        yield opening + json.dumps(part)[1:-1]
        opening = ", "
    yield closing


def _has_large(value: Any, depth: int) -> bool:
    if isinstance(value, str):
        return len(value) > _LARGE
    if depth <= 0 or not isinstance(value, (dict, list, tuple)):
        return False
    if len(value) > _WIDTH:
        return True
    return any(_has_large(one, depth - 1) for one in (value.values() if isinstance(value, dict) else value))


def decode(pieces: Iterator[bytes]) -> Any:
    """What `json.loads` makes of the text. Of the text no more is held than two pieces, unless a value that is no string and
    no container is larger. Raises ValueError for what is no JSON in UTF-8."""
    return _Reader(pieces).whole()


_SCAN: Final = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_PLAIN: Final = re.compile(
    r"(?:[^\\]|\\[^u]|\\u(?![dD][89aAbB])[0-9a-fA-F]{4}|\\u[dD][89aAbB][0-9a-fA-F]{2}"
    r"(?:\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?=[^\\]|\\[^u]|\\u[^dD]|\\u[dD][^c-fC-F])))*",
    re.DOTALL,
)
"""The part of a string that ends between two characters, and not inside an escape or between two that are one character."""

_TAIL: Final = 32  # characters: more than the longest escape
_ENDS: Final = {"{": "}", "[": "]", '"': '"'}
_NOT_WHOLE: Final = object()


class _Reader:
    """A window on the text, which moves forward. It begins at `_at`."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text, self._at, self._ended = "", 0, False
        self._one_by_one = False  # the members in this window: no cut through them was found
        self._more()

    def whole(self) -> Any:
        value = self._value(_DEPTH)
        if self._peek():
            raise json.JSONDecodeError("Extra data", self._text, self._at)
        return value

    def _more(self) -> bool:
        """Move the window on by a piece. False at the end of the text."""
        if self._ended:
            return False
        piece = next(self._pieces, b"")
        self._ended = not piece
        self._text = self._text[self._at :] + self._decoder.decode(piece, self._ended)
        self._at = 0
        self._one_by_one = False
        return True

    def _all(self) -> None:
        """Move the window on to the end of the text, and hold all that is left of it."""
        rest = [
            self._text[self._at :],
            *map(self._decoder.decode, self._pieces),
            self._decoder.decode(b"", True),
        ]
        self._text, self._at, self._ended = "".join(rest), 0, True

    def _peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _take(self, expected: str) -> str:
        found = self._peek()
        if not found or found not in expected:
            raise json.JSONDecodeError(f"Expecting one of {expected}", self._text, self._at)
        self._at += 1
        return found

    def _value(self, depth: int) -> Any:
        first = self._peek()
        while len(self._text) - self._at < _TAIL and self._more():
            pass
        if (value := self._scan()) is not _NOT_WHOLE:
            return value
        if first == '"':
            return self._string()
        if first in ("[", "{") and depth > 0:
            return self._members(first, depth - 1)
        self._all()
        if (value := self._scan()) is not _NOT_WHOLE:
            return value
        raise json.JSONDecodeError("Expecting value", self._text, self._at)

    def _scan(self) -> Any:
        """The next value, when it is whole in the window."""
        while True:
            try:
                value, end = _SCAN(self._text, self._at)
            except (StopIteration, ValueError):
                return _NOT_WHOLE
            # a number at the end of the window may go on
            if self._text[self._at] in _ENDS or end <= len(self._text) - _TAIL or not self._more():
                self._at = end
                return value

    def _string(self) -> str:
        """A string that ends behind the window. What is read of it grows in place: nothing else refers to it."""
        self._at += 1
        text = ""
        while True:
            try:
                part, self._at = scanstring(self._text, self._at)
            except ValueError:
                if self._ended:
                    raise
                part = self._part()
                text += part
                self._more()
            else:
                text += part
                return text

    def _part(self) -> str:
        """As much of a string as the window has, without its end."""
        start = max(self._at, len(self._text) - _TAIL)
        while start > self._at and self._text[start - 1] == "\\":
            start -= 1
        match = _PLAIN.match(self._text, start)
        assert match is not None
        part, _ = scanstring(self._text[self._at : match.end()] + '"', 0)
        self._at = match.end()
        return str(part)

    def _members(self, opening: str, depth: int) -> Any:
        """A list or a dict that ends behind the window."""
        made: Any = {} if opening == "{" else []
        closing = _ENDS[opening]
        self._take(opening)
        if self._peek() == closing:
            self._at += 1
            return made
        while True:
            if many := self._many(opening):
                made.update(many) if opening == "{" else made.extend(many)
            elif opening == "{":
                key = self._value(0)
                if not isinstance(key, str):
                    raise json.JSONDecodeError("Expecting a name", self._text, self._at)
                self._take(":")
                made[key] = self._value(depth)
            else:
                made.append(self._value(depth))
            if self._take("," + closing) == closing:
                return made

    def _many(self, opening: str) -> Any:
        """The members that are whole in the window, decoded at once; nothing when they cannot be told from the rest."""
        if self._one_by_one:
            return None
        self._peek()
        first = self._at
        if opening == "{" and (colon := self._text.find('": ', first, first + 1000)) > 0:
            first = colon + 3
        ending = _ENDS.get(self._text[first : first + 1], "")
        cut = self._text.rfind(ending + (', "' if opening == "{" else ", "), self._at)
        self._one_by_one = True
        if cut < 0:
            return None
        end = cut + len(ending)
        try:
            many = json.loads(opening + self._text[self._at : end] + _ENDS[opening])
        except ValueError:
            return None
        self._at = end
        return many
