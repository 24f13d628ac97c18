"""Whether the deadlines of a serialized Dag may be stored: the scheduler reads them when it makes a run, and fails there
for every Dag of the plane."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from airflow.models.deadline_alert import DeadlineAlert
from airflow.serialization.decoders import decode_deadline_alert
from airflow.serialization.enums import Encoding

LONGEST: Final = timedelta(days=36_525)
MOST: Final = 100
"""Deadlines of one Dag: each is a row of every run."""

_FIELDS: Final = frozenset({"name", "reference", "interval", "callback"})
_CALLBACK: Final = frozenset({"__classname__", "__version__", "__data__"})
_CLASSNAMES: Final = ("__classname__", "__type")
_MOST_RUNS: Final = 10_000


def check(owner: str, deadlines: Any) -> None:
    """Raises ValueError that says what is wrong.

    Airflow reads a callback by the name of a class in it, written in one of two ways. One of them only is taken, so that
    what was checked is what Airflow reads.
    """
    if deadlines is None:
        return
    if not isinstance(deadlines, list) or len(deadlines) > MOST:
        raise ValueError(f"{owner}: deadline is not a list of at most {MOST}")
    for one in deadlines:
        _check_one(f"{owner}: deadline", one)


def _check_one(owner: str, alert: Any) -> None:
    wrapped = isinstance(alert, dict) and Encoding.VAR.value in alert
    inside = alert[Encoding.VAR.value] if wrapped else alert
    if not isinstance(inside, dict) or not inside.keys() <= _FIELDS or (wrapped and len(alert) > 2):
        raise ValueError(f"{owner} is not a map of {', '.join(sorted(_FIELDS))}")
    callback = inside.get("callback")
    if (
        not isinstance(callback, dict)
        or set(callback) != _CALLBACK
        or not isinstance(callback["__data__"], dict)
    ):
        raise ValueError(f"{owner}: its callback is none of a class, a version and data")
    for named in _classes(callback["__data__"]):
        if named.startswith("airflow"):
            raise ValueError(f"{owner}: its callback's arguments hold an object of class {named[:200]!r}")
    for named in _classes(inside.get("interval")):
        if named != "datetime.timedelta":
            raise ValueError(
                f"{owner}: its interval is an object of class {named[:200]!r}; a site's Dag has an interval of its own, "
                "and reads no variable of the plane"
            )
    name = inside.get("name")
    longest = DeadlineAlert.name.type.length
    if name is not None and not (isinstance(name, str) and len(name) <= longest and "\0" not in name):
        raise ValueError(f"{owner}: name is no text of at most {longest} characters")
    reference = inside.get("reference")
    if isinstance(reference, dict):
        _check_reference(owner, reference)
    read = decode_deadline_alert(alert)
    # Airflow 3.3.2 reads an interval of a variable, too, as a class that 3.3.0 does not have.
    if not isinstance(read.interval, timedelta) or abs(read.interval) > LONGEST:
        raise ValueError(f"{owner}: interval is longer than {LONGEST.days} days")


def _check_reference(owner: str, reference: dict[str, Any]) -> None:
    for name in ("max_runs", "min_runs"):
        number = reference.get(name)
        if number is not None and (type(number) is not int or not 1 <= number <= _MOST_RUNS):
            raise ValueError(f"{owner}: {name} is not a whole number of 1 to {_MOST_RUNS}")
    at = reference.get("datetime")
    if at is not None and (
        type(at) not in (int, float) or not 1000 <= datetime.fromtimestamp(at, timezone.utc).year < 9000
    ):
        raise ValueError(f"{owner}: datetime is not one of the calendar")


def _classes(value: Any) -> Iterator[str]:
    """The names of classes that Airflow would make objects of."""
    if isinstance(value, dict):
        yield from (str(value[word]) for word in _CLASSNAMES if word in value)
        for one in value.values():
            yield from _classes(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _classes(one)
