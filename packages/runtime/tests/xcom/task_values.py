"""What tasks hand on: one value of each kind that people return, by name. Imported where Airflow is."""

from __future__ import annotations

import datetime
import enum
import math
import uuid
import zoneinfo
from collections import OrderedDict, defaultdict, deque, namedtuple
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import numpy
import pandas
import pendulum
import pydantic
from airflow.sdk import Asset


@dataclass
class Row:
    id: int
    tags: list[str]


@attrs.define
class Point:
    x: int
    y: float = 0.5


class Model(pydantic.BaseModel):
    name: str
    at: datetime.datetime


class Own:
    """With a serializer of its own."""

    __version__ = 2

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and other.text == self.text

    __hash__ = None  # type: ignore[assignment]

    def serialize(self) -> dict[str, Any]:
        return {"text": self.text}

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> Own:
        assert version == 2
        return Own(data["text"])


class NeverEqual(Own):
    """Answers a comparison with something that has no truth, as a DataFrame does."""

    def __eq__(self, other: object) -> Any:
        return numpy.array([True, False])

    __hash__ = None  # type: ignore[assignment]

    @staticmethod
    def deserialize(data: dict[str, Any], version: int) -> NeverEqual:
        return NeverEqual(data["text"])


class SerializesToASet:
    def serialize(self) -> set[int]:
        return {1}


class Colour(str, enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Opaque:
    """Nobody can serialize it."""


Named = namedtuple("Named", "a b")

UTC = datetime.timezone.utc

VALUES: dict[str, Any] = {
    "None": None,
    "True": True,
    "int": 5,
    "very large int": 2**200,
    "negative int": -(2**70),
    "float": 0.1,
    "nan": math.nan,
    "infinity": math.inf,
    "text": "zażółć \u2028 😀",
    "lone surrogate": "\ud800",
    "empty": "",
    "url": "s3://bucket/key",
    "reference": "file:///elsewhere/d/r/t/" + "0" * 32 + ".tradewind-xcom",
    "list": [1, "a", None, [2.5]],
    "dict": {"a": {"b": [1, {"c": None}]}},
    "dict with int keys": {1: "a", 2: {3: 4}},
    "OrderedDict": OrderedDict(a=1),
    "defaultdict": defaultdict(list, a=[1]),
    "tuple": (1, 2),
    "rows of fetchall": [(1, "a"), (2, "b")],
    "nested tuples": {"rows": [(1, (2, 3))], "t": ((1,), [2, (3,)])},
    "namedtuple": Named(1, (2,)),
    "set": {1, 2},
    "frozenset": frozenset({"a"}),
    "sets inside": [{1}, {"a": {2}}],
    "Decimal": Decimal("1.10"),
    "Decimals": [Decimal("-0"), Decimal("100"), Decimal("0.000001")],
    "large Decimals": [Decimal("1E+30")],
    "datetime": datetime.datetime(2025, 1, 1, 12, 30, 1, 5, tzinfo=UTC),
    "datetime without zone": datetime.datetime(2025, 1, 1),
    "datetime of a zone": datetime.datetime(2025, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Warsaw")),
    "pendulum": pendulum.datetime(2025, 7, 1, tz="Asia/Tokyo"),
    "pendulum of an offset": pendulum.parse("2025-07-01T00:00:00+05:30"),
    "date": datetime.date(2025, 1, 1),
    "timedelta": datetime.timedelta(days=1, microseconds=3),
    "timezone": zoneinfo.ZoneInfo("Europe/Warsaw"),
    "UUID": uuid.UUID(int=5),
    "str enum": Colour.RED,
    "int enum": Level.HIGH,
    "dataclass": Row(1, ["a"]),
    "dataclasses": [Row(1, []), {"r": Row(2, ["b"])}],
    "attrs": Point(1),
    "pydantic": Model(name="n", at=datetime.datetime(2025, 1, 1, tzinfo=UTC)),
    "own serializer": Own("t"),
    "own equality": NeverEqual("t"),
    "Asset": Asset(name="a", uri="s3://bucket/a", extra={"k": 1}),
    "DataFrame": pandas.DataFrame(
        {"a": [1, 2], "b": ["x", None], "t": pandas.to_datetime(["2025-01-01"] * 2)}
    ),
    "empty DataFrame": pandas.DataFrame({"a": []}),
    "DataFrames": {"one": pandas.DataFrame({"a": [1.5]}), "two": [pandas.DataFrame({"b": [True]})]},
    "Series": pandas.Series([1, 2], name="s"),
    "Timestamp": pandas.Timestamp("2025-01-01T00:00:00Z"),
    "NaT": pandas.NaT,
    "NA": pandas.NA,
    "ndarray": numpy.arange(6).reshape(2, 3),
    "ndarray of texts": numpy.array(["a", "b"]),
    "numpy int": numpy.int64(5),
    "numpy float": numpy.float64(0.25),
    "numpy float32": numpy.float32(0.25),
    "numpy bool": numpy.bool_(True),
    "numpy datetime": numpy.datetime64("2025-01-01"),
    "bytes": b"abc",
    "bytearray": bytearray(b"abc"),
    "deque": deque([1]),
    "range": range(3),
    "Path": Path("/x"),
    "complex": 1j,
    "exception": ValueError("x"),
    "function": len,
    "class": Row,
    "generator": (each for each in "ab"),
    "Opaque": Opaque(),
    "Opaque inside": {"a": [Opaque()]},
    "not JSON": SerializesToASet(),
    "reserved key": {"__classname__": "x"},
    "regular expression": __import__("re").compile("x"),
}


def same(one: Any, two: Any) -> bool:
    """Of one type and equal, whatever `==` of the type means."""
    if type(one) is not type(two):
        return False
    if isinstance(one, pandas.DataFrame):
        return bool(one.equals(two)) and [*map(str, one.dtypes)] == [*map(str, two.dtypes)]
    if isinstance(one, pandas.Series):
        return bool(one.equals(two)) and one.dtype == two.dtype
    if isinstance(one, numpy.ndarray):
        return one.dtype == two.dtype and numpy.array_equal(one, two)
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[key], two[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(two)
    if isinstance(one, NeverEqual):
        return bool(one.text == two.text)
    if isinstance(one, datetime.datetime) and one is not pandas.NaT:
        return one == two and one.utcoffset() == two.utcoffset() and str(one.tzinfo) == str(two.tzinfo)
    return repr(one) == repr(two) or bool(one == two)
