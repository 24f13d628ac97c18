"""Strategies of Hypothesis for what Airflow's schema of serialized Dags lets through, and for what it does not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

from .families.dags import MISSING, SCHEMA, TIMETABLES, VALUES

Strategy = st.SearchStrategy[Any]
Change = Callable[[dict[str, Any]], None]

NUMBERS: Final = st.one_of(
    st.integers(0, 5), st.integers(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False)
)  # fmt: skip
TEXTS: Final = st.one_of(
    st.text(max_size=20), st.text("a", min_size=240, max_size=1100), st.sampled_from(["", "{{ 1 }}", "a/../b", "default"])
)  # fmt: skip
JSON: Final = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_NAMED: dict[str, Strategy] = {}


def named(name: str) -> Strategy:
    """Of one definition of the schema. Definitions hold each other."""
    if name not in _NAMED:
        _NAMED[name] = st.deferred(lambda: _made[name])
        _made[name] = of(SCHEMA[name])
    return _NAMED[name]


_made: dict[str, Strategy] = {}


def of(schema: dict[str, Any]) -> Strategy:
    """Values that fit a schema as far as types, names and choices go; its patterns and bounds are not kept."""
    if "$ref" in schema:
        return named(schema["$ref"].rpartition("/")[2])
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return st.one_of([of(one) for one in schema[several]])
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return st.one_of([of({**schema, "type": one}) for one in kind])
    if kind == "object":
        return _object(schema)
    if kind == "array":
        items = schema.get("items", {})
        return st.lists(of(items) if isinstance(items, dict) else JSON, max_size=3)
    plain = {
        "string": TEXTS,
        "number": NUMBERS,
        "integer": NUMBERS,
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return plain.get(kind, JSON)


def _object(schema: dict[str, Any]) -> Strategy:
    properties = {name: of(one) for name, one in schema.get("properties", {}).items()}
    needed = [name for name in schema.get("required", []) if name in properties]
    if properties:
        return st.fixed_dictionaries(
            {name: properties[name] for name in needed},
            optional={name: one for name, one in properties.items() if name not in needed},
        )
    return st.dictionaries(TEXTS, JSON, max_size=3)


def _put(place: Callable[[dict[str, Any]], dict[str, Any]], name: str, value: Any) -> Change:
    def change(dag: dict[str, Any]) -> None:
        at = place(dag)
        if value is MISSING:
            at.pop(name, None)
        else:
            at[name] = copy.deepcopy(value)

    return change


def _first(dag: dict[str, Any]) -> dict[str, Any]:
    """A task's fields; nowhere when an earlier change left no task."""
    try:
        found = dag["tasks"][0]["__var"]
    except (KeyError, IndexError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _changes_of(place: Callable[[dict[str, Any]], dict[str, Any]], definition: str) -> Strategy:
    fields = {
        name: schema
        for name, schema in SCHEMA[definition]["properties"].items()
        if name not in ("dag_id", "relative_fileloc")
    }
    wild = st.sampled_from(list(VALUES.values()))
    return st.sampled_from(list(fields)).flatmap(
        lambda name: st.one_of(of(fields[name]), of(fields[name]), wild, JSON).map(
            lambda value: (f"{definition}.{name}", value, _put(place, name, value))
        )
    )


CHANGES: Final = st.lists(
    st.one_of(
        _changes_of(lambda dag: dag, "dag"),
        _changes_of(_first, "operator"),
        _changes_of(_first, "operator"),
        st.sampled_from(list(TIMETABLES.values())).map(
            lambda one: (
                "dag.timetable",
                one,
                _put(lambda dag: dag, "timetable", {"__type": one[0], "__var": one[1]}),
            )
        ),
    ),
    min_size=1,
    max_size=4,
)
"""What is changed of a good Dag: where, what is put there, and how."""
