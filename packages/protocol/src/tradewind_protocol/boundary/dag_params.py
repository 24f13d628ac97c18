"""Params: their names and schemas are what the form for starting a run is made of; a default that is text stays."""

from __future__ import annotations

import re
from typing import Any

from tradewind_protocol.boundary.dag_fields import SCHEMA_WORDS, TIGHT_WORDS, TYPE, VAR
from tradewind_protocol.boundary.dag_text import Text
from tradewind_protocol.boundary.notices import NOTICE_KEY, is_notice

_MOMENT = re.compile(r"[0-9TZ:+. -]{4,40}")


def reduced_params(text: Text, params: Any, *place: str) -> Any:
    """A list of (name, param) pairs, or a map of them as older Airflows wrote it."""
    if isinstance(params, dict):
        return {name: _param(text, name, param, *place) for name, param in params.items()}
    if not isinstance(params, list):
        return []
    pairs = [pair for pair in params if isinstance(pair, (list, tuple)) and len(pair) == 2]
    return [[name, _param(text, str(name), param, *place)] for name, param in pairs]


def _param(text: Text, name: str, param: Any, *place: str) -> Any:
    if text.leaves(("param",), name):
        return param
    place = (*place, "param", name)
    if not isinstance(param, dict) or "__class" not in param:
        param = {"__class": "airflow.sdk.definitions.param.Param", "default": param}
    schema = _schema(param.get("schema"))
    default = _default(text, param.get("default"), _var(schema) or {}, *place)
    kept: dict[str, Any] = {"__class": param["__class"], "default": default}
    for word in ("description", "source"):
        if word in param:
            kept[word] = param[word] if isinstance(param[word], str) else None
    if "schema" in param:
        kept["schema"] = _loosened(schema) if is_notice(_plain(default)) else schema
    return kept


def _default(text: Text, value: Any, schema: dict[str, Any], *place: str) -> Any:
    """Nothing, numbers and yes or no pass, and what the form offers anyway: choices, dates. Other text stays."""
    plain = _plain(value)
    if is_notice(plain) or _is_plain(plain, schema):
        return value
    notice = text.stays(value if plain in ("", [], {}) else plain, *place, "default")
    if isinstance(plain, list):
        return [notice]
    if isinstance(plain, dict):
        return {TYPE: "dict", VAR: {NOTICE_KEY: notice}}
    return notice


def _is_plain(value: Any, schema: dict[str, Any]) -> bool:
    if value is None or isinstance(value, (bool, int, float)) or value in ("", [], {}):
        return True
    choices = _offered(schema)
    if isinstance(value, list):
        return all(item in choices or _is_plain(item, {}) for item in value)
    if not isinstance(value, str):
        return False
    if value in choices:
        return True
    return schema.get("format") in ("date", "date-time", "time") and _MOMENT.fullmatch(value) is not None


def _offered(schema: dict[str, Any]) -> list[Any]:
    offered: list[Any] = []
    for word in ("enum", "examples"):
        if isinstance(schema.get(word), list):
            offered += schema[word]
    return offered


def _schema(schema: Any) -> Any:
    """The schema, without words that are none of JSON schema's or Airflow's form's."""
    words = _var(schema)
    if words is None:
        return {TYPE: "dict", VAR: {}}
    kept = {word: value for word, value in words.items() if word in SCHEMA_WORDS}
    return {TYPE: "dict", VAR: kept} if schema is not words else kept


def _loosened(schema: Any) -> Any:
    words = _var(schema) or {}
    kept = {word: value for word, value in words.items() if word not in TIGHT_WORDS}
    if words.get("format") == "multiline":  # the form's, and no format that is checked
        kept["format"] = "multiline"
    return {TYPE: "dict", VAR: kept} if schema is not words else kept


def _var(value: Any) -> dict[str, Any] | None:
    """The map that is encoded here, or a bare one."""
    if isinstance(value, dict):
        inner = value.get(VAR) if TYPE in value else value
        return inner if isinstance(inner, dict) else None
    return None


def _plain(value: Any) -> Any:
    """`value` without Airflow's marks of types."""
    if isinstance(value, dict):
        if set(value) == {TYPE, VAR}:
            return _plain(value[VAR])
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
