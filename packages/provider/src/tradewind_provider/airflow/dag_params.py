"""Params of Dags that came from an agent, as the plane may evaluate them.

The scheduler and the API server validate a run's params against JSON schemas that the Dag's author wrote. A regular
expression may take longer than anybody waits, and holds the interpreter's lock meanwhile; references multiply a small
schema into an endless one. The plane keeps of a schema what costs little, and the site's own Dag, with the whole schema,
validates the values again before a task runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from airflow.serialization.definitions.param import SerializedParamsDict

COSTLY: Final = frozenset(
    {"pattern", "patternProperties", "unevaluatedProperties", "unevaluatedItems", "$ref", "$dynamicRef", "$recursiveRef"}
)  # fmt: skip
"""Keywords whose cost no size bounds."""

MOST_STEPS: Final = 100_000
"""Maps of a schema times values of a default, at most: what validating it takes, about. A tenth of a second."""

_REFERENCES: Final = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_BY_NAME: Final = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
"""Keywords whose value has a schema under each name, and names are no keywords."""
_VALUES: Final = frozenset({"enum", "const", "default", "examples"})
_TYPE, _VAR = "__type", "__var"


def bounded(dag: dict[str, Any]) -> dict[str, Any]:
    """A serialized Dag without the `COSTLY` keywords of its params' schemas."""
    changed = {**dag}
    if "params" in dag:
        changed["params"] = _params(dag["params"])
    if isinstance(dag.get("tasks"), list):
        changed["tasks"] = [_task(task) for task in dag["tasks"]]
    return changed


def check(owner: str, params: Any, *, evaluated: bool) -> None:
    """Raises ValueError for a schema that refers to an address, which the plane would fetch, for a default that is too
    large for its schema, and, if `evaluated`, for one that its schema does not take: a run would fail to be made."""
    if not isinstance(params, SerializedParamsDict):
        return
    for name in params:
        param = params.get_param(name)
        for reference in _references(param.schema):
            if not reference.startswith("#"):
                raise ValueError(
                    f"{owner}: the schema of param {name[:100]!r} refers to {reference[:100]!r}, outside of itself"
                )
        values = _size(param.value)
        steps = _size(param.schema) * values
        if "uniqueItems" in str(param.schema):
            steps += values * values
        if steps > MOST_STEPS:
            raise ValueError(
                f"{owner}: param {name[:100]!r} takes {steps} steps to validate, more than {MOST_STEPS}: its schema or "
                "its default is too large"
            )
    if evaluated:
        try:
            params.validate()
        except Exception as problem:
            raise ValueError(f"{owner}: params: {str(problem)[:300]}") from None


def _task(task: Any) -> Any:
    inside = task.get(_VAR) if isinstance(task, dict) else None
    if not isinstance(inside, dict):
        return task
    changed = {**inside}
    if "params" in inside:
        changed["params"] = _params(inside["params"])
    partial = inside.get("partial_kwargs")
    if isinstance(partial, dict) and "params" in partial:
        changed["partial_kwargs"] = {**partial, "params": _params(partial["params"])}
    return {**task, _VAR: changed}


def _params(params: Any) -> Any:
    """A list of pairs, a map, or either as Airflow encodes it."""
    if isinstance(params, list):
        return [
            [pair[0], _param(pair[1])] if isinstance(pair, (list, tuple)) and len(pair) == 2 else pair
            for pair in params
        ]
    if isinstance(params, dict) and _VAR in params:
        return {**params, _VAR: _params(params[_VAR])}
    if isinstance(params, dict):
        return {name: _param(param) for name, param in params.items()}
    return params


def _param(param: Any) -> Any:
    if isinstance(param, dict) and "schema" in param:
        return {**param, "schema": _kept(param["schema"])}
    return param


def _kept(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_kept(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if set(schema) == {_TYPE, _VAR}:
        return {_TYPE: schema[_TYPE], _VAR: _kept(schema[_VAR])}
    kept: dict[str, Any] = {}
    for word, value in schema.items():
        external = word in _REFERENCES and not str(value).startswith("#")  # left for `check` to name
        if word in COSTLY and not external:
            continue
        if word in _VALUES:
            kept[word] = value
        elif word in _BY_NAME:
            kept[word] = _named(value)
        else:
            kept[word] = _kept(value)
    return kept


def _named(schemas: Any) -> Any:
    if isinstance(schemas, dict) and set(schemas) == {_TYPE, _VAR}:
        return {_TYPE: schemas[_TYPE], _VAR: _named(schemas[_VAR])}
    if isinstance(schemas, dict):
        return {name: _kept(one) for name, one in schemas.items()}
    return schemas


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key in _REFERENCES and isinstance(value, str):
                yield value
            else:
                yield from _references(value)
    elif isinstance(schema, (list, tuple)):
        for one in schema:
            yield from _references(one)


def _size(value: Any) -> int:
    """How many values are in this one, itself among them."""
    if isinstance(value, dict):
        return 1 + sum(_size(one) for one in value.values())
    if isinstance(value, (list, tuple, set)):
        return 1 + sum(_size(one) for one in value)
    return 1
