"""A value as JSON text in pieces, so that a large one is not held as text a second time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
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
