"""A value as JSON in pieces: the same text as `json.dumps`, with no second copy of a large string."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from tradewind_runtime import json_pieces

PIECE = 1024 * 1024
LARGE = 'ü"\\\n😀\ud800x' * 150_000  # escapes of one, two and six characters meet the ends of pieces


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


TEXTS = [
    json.dumps(LARGE),
    json.dumps([LARGE, LARGE[:500], LARGE]),
    json.dumps({"k": LARGE, "l": [LARGE, {"deep": [LARGE, "x"]}], "": 1}),
    json.dumps({"rows": [{"id": number, "s": 'x", y'} for number in range(5000)], "n": None}),
    json.dumps([[number, [number, "]"]] for number in range(5000)]),
    json.dumps({f"key {number}": {"a": number, "b": {"c": 1, "d": [number]}} for number in range(3000)}),
    json.dumps(
        {f"key {number}": number if number % 2 else {"a": {"b": 1, "c": 2}} for number in range(3000)}
    ),
    json.dumps([True, False, None, -1, 0.5, 1e300, float("inf"), float("-inf"), 10**400] * 2000),
    json.dumps("\\" * 100_000 + '"' * 99_999),
    json.dumps("ü" * 100_000, ensure_ascii=False),
    json.dumps({"a": [1, {"b": "x" * 3000}]}, indent=3),
    json.dumps(json.loads("[" * 20 + '"' + "x" * 5000 + '"' + "]" * 20)),
    '{"a": 1, "a": 2}' + " " * 5000,
    "12345",
    '  ""',
]


def cut(text: str, size: int) -> Any:
    content = text.encode()
    return (content[start : start + size] for start in range(0, len(content), size))


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:20])
@pytest.mark.parametrize("size", [1000, 1001, 4099, 65_536, PIECE])
def test_what_is_read_in_pieces_is_what_json_reads(text: str, size: int) -> None:
    assert json_pieces.decode(cut(text, size)) == json.loads(text)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
def test_pieces_may_end_anywhere(size: int) -> None:
    value = {
        "a": ['ü😀\ud800x\\"', -1.5e-7, True, None, {"b": []}, {}],
        "\ud83d": "\ud83d\u0041\ude00",
        "c": "\\\\u12",
    }
    for text in (json.dumps(value), json.dumps(value, indent=1)):
        assert json_pieces.decode(cut(text, size)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        '"' + "x" * 5000,
        '"' + "x" * 3000 + "\\q" + "x" * 3000 + '"',
        '"' + "x" * 3000 + "\n" + '"',
        '"' + "x" * 2990 + "\\u12g4" + '"',
        "[1, 2",
        "[1, 2}",
        '{"a" 1}',
        '{"a": ' + '"x", ' * 1000 + "}",
        '{1: "' + "x" * 3000 + '"}',
        "[" + "1, " * 2000 + "]",
        "[1] 2",
        "tru",
        "-",
        json.dumps(["x" * 3000] * 3)[:-1] + "]]",
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_json_is_an_error_as_of_json(text: str) -> None:
    with pytest.raises(ValueError):
        json.loads(text)
    with pytest.raises(ValueError):
        json_pieces.decode(cut(text, 1000))


def test_what_is_no_utf_8_is_an_error() -> None:
    with pytest.raises(UnicodeDecodeError):
        json_pieces.decode(iter([b'"\xff"']))


@pytest.mark.parametrize(
    "value",
    ["x" * 50_000_000, {"__data__": ["y", "x" * 50_000_000]}, {"q": 'say "x", ' * 5_000_000}],
    ids=type,
)
def test_a_large_string_is_read_without_a_second_copy(value: Any) -> None:
    text = json.dumps(value).encode()
    tracemalloc.start()
    try:
        read = json_pieces.decode(text[start : start + PIECE] for start in range(0, len(text), PIECE))
        assert tracemalloc.get_traced_memory()[1] < len(text) + 8 * PIECE
    finally:
        tracemalloc.stop()
    assert read == value


def test_many_members_are_read_without_their_text() -> None:
    text = json.dumps([{"id": number, "name": f"row {number:010}"} for number in range(60_000)]).encode()
    tracemalloc.start()
    try:
        expected = json.loads(text)
        whole = tracemalloc.get_traced_memory()[0]
        del expected
        tracemalloc.reset_peak()
        read = json_pieces.decode(text[start : start + PIECE] for start in range(0, len(text), PIECE))
        assert tracemalloc.get_traced_memory()[1] < whole + 8 * PIECE
    finally:
        tracemalloc.stop()
    assert read == json.loads(text)


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
