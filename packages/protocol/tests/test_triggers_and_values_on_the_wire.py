"""What the triggers verb says is read as it was written, and nothing hostile is read at all."""

from __future__ import annotations

import base64
import json
import math
import random
import zlib
from datetime import datetime, timedelta, timezone
from uuid import uuid4

import pytest
from pydantic import ValidationError

from tradewind_protocol import triggers, values

MOMENT = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize("ids", [(), (0,), (1,), (127, 128, 129), (2**31 - 1,), (2**62,), (5, 5, 3)])
def test_a_packed_set_of_ids_is_read_as_it_was_written(ids: tuple[int, ...]) -> None:
    assert triggers.unpack_ids(triggers.pack_ids(ids)) == frozenset(ids)


def test_ten_thousand_neighbours_take_less_than_a_hundred_bytes() -> None:
    assert len(triggers.pack_ids(range(1_000_000, 1_010_000))) < 100


def test_ten_thousand_scattered_ids_take_less_than_twenty_kilobytes() -> None:
    ids = random.Random(1).sample(range(1_000_000), 10_000)
    assert len(triggers.pack_ids(ids)) < 20_000
    assert triggers.unpack_ids(triggers.pack_ids(ids)) == frozenset(ids)


@pytest.mark.parametrize(
    "text",
    [
        "not base64!",
        base64.b64encode(b"not zlib").decode(),
        base64.b64encode(zlib.compress(b"\x80")).decode(),  # cut off in a gap
        base64.b64encode(zlib.compress(b"\xff" * 20 + b"\x01")).decode(),  # a gap of 140 bits
        base64.b64encode(zlib.compress(b"\x01" * 10)[:-5]).decode(),  # cut off in the stream
        base64.b64encode(zlib.compress(b"\x01" * 200_000)).decode(),  # too many ids
        base64.b64encode(zlib.compress(b"\x00" * 50_000_000)).decode(),  # a bomb
    ],
)
def test_a_set_of_ids_nobody_packed_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        triggers.unpack_ids(text)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        1.5,
        "text",
        2**60,
        MOMENT,
        b"\x00\xff",
        [1, [MOMENT, {"a": None}]],
        {"state": "success", "body": {"when": MOMENT}},
        {1: "one", None: "none"},
        {values.TAG: ["moment", "a user's own map that looks like ours"]},
        float("inf"),
    ],
)
def test_a_value_comes_back_as_it_was_after_a_way_through_json(value: object) -> None:
    assert values.unpack(json.loads(json.dumps(values.pack(value), allow_nan=False))) == value


def test_a_value_that_is_not_a_number_comes_back_so() -> None:
    assert math.isnan(values.unpack(values.pack(float("nan"))))


def test_a_value_of_any_other_type_is_named_when_refused() -> None:
    with pytest.raises(TypeError, match="UUID"):
        values.pack({"id": uuid4()})


def test_a_value_nested_too_deep_is_refused_on_both_sides() -> None:
    deep: list[object] = []
    for _ in range(400):
        deep = [deep]
    with pytest.raises(ValueError, match="deep"):
        values.pack(deep)
    with pytest.raises(ValueError, match="deep"):
        values.unpack(deep)


@pytest.mark.parametrize(
    "packed",
    [
        {values.TAG: ["class", "os.system"]},
        {values.TAG: ["moment", "yesterday"]},
        {values.TAG: ["bytes", "%"]},
        {values.TAG: ["map", [["a"]]]},
        {values.TAG: ["map", [[{"a": 1}, 1]]]},
        {values.TAG: "map"},
        {values.TAG: ["float", "1e5"]},
    ],
)
def test_a_packed_value_of_unknown_form_is_refused(packed: object) -> None:
    with pytest.raises(ValueError):
        values.unpack(packed)


def test_the_arguments_of_a_trigger_are_not_in_its_repr() -> None:
    create = triggers.CreateTrigger(id=1, classpath="a.B", arguments='{"password": "hunter2"}')
    answer = triggers.SyncAnswer(create=(create,))
    assert "hunter2" not in repr(create)
    assert "hunter2" not in repr(answer)
    assert "hunter2" in answer.model_dump_json()


def test_the_payload_of_an_event_is_not_in_its_repr() -> None:
    event = triggers.Event(payload={"token": "hunter2"}, xcoms={"a": "hunter2"})
    assert "hunter2" not in repr(triggers.Report(seq=1, trigger_id=1, event=event))


def test_an_answer_with_fields_of_a_newer_plane_is_read() -> None:
    answer = triggers.SyncAnswer.model_validate({"applied_through": 3, "pause": True})
    assert answer.applied_through == 3


def test_more_reports_than_allowed_are_refused() -> None:
    reports = [{"seq": n + 1, "trigger_id": 1} for n in range(triggers.MOST_REPORTS + 1)]
    with pytest.raises(ValidationError):
        triggers.Sync.model_validate({"source": str(uuid4()), "reports": reports})
