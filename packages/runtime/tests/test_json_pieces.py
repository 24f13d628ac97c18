"""A value as JSON in pieces: the same text as `json.dumps`, with no second copy of a large string."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from tradewind_runtime import json_pieces

PIECE = 1024 * 1024
LARGE = 'ü"\\\n😀\ud800x' * 400_000  # escapes of one, two and six characters meet the ends of pieces


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "text",
        [1, 2.5, True],
        {"a": {1: [None]}, "b": ()},
        LARGE,
        [LARGE, 1, LARGE],
        {"k": LARGE, 2: [LARGE, {"deep": (LARGE, "x")}], None: 1},
        {"many": ["x"] * 2000, "large": LARGE},
        {"rows": [{"a": number, "b": [number]} for number in range(2001)]},
        {number: str(number) for number in range(3000)},
        tuple(range(5000)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_pieces_are_the_text_of_json(value: Any) -> None:
    pieces = list(json_pieces.encode(value, piece=PIECE))
    assert b"".join(pieces) == json.dumps(value).encode()
    assert all(len(piece) == PIECE for piece in pieces[:-1])


def test_a_large_string_is_not_held_a_second_time() -> None:
    value = {"__data__": "x" * 50_000_000}
    tracemalloc.start()
    try:
        assert sum(map(len, json_pieces.encode(value, piece=PIECE))) > 50_000_000
        assert tracemalloc.get_traced_memory()[1] < 8 * PIECE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("wide", [list, dict.fromkeys], ids=["list", "dict"])
def test_many_members_are_not_held_as_text(wide: Any) -> None:
    value = {"__data__": wide(f"member {number:020}" for number in range(300_000))}
    tracemalloc.start()
    try:
        assert sum(map(len, json_pieces.encode(value, piece=PIECE))) > 8 * PIECE
        assert tracemalloc.get_traced_memory()[1] < 4 * PIECE
    finally:
        tracemalloc.stop()


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        list(json_pieces.encode({"a": LARGE, "b": object()}, piece=PIECE))
