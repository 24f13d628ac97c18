"""The committed schemas are those of the code, and a side that speaks a released version still understands."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator as Validator

from tradewind_protocol import versions
from tradewind_protocol.messages import Message


def script(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


schemas, wire_changes = script("schemas"), script("wire_changes")
CURRENT: dict[str, dict[str, Any]] = schemas.schemas()
RELEASED = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "released").glob("*.json"))
}
MESSAGES = [
    (version, module, name)
    for version, released in RELEASED.items()
    for module, messages in released.items()
    for name, schema in messages.items()
    if "properties" in schema
]


def test_the_committed_schemas_are_current() -> None:
    kept = {path.stem: path.read_text(encoding="utf-8") for path in schemas.SCHEMAS.glob("*.json")}
    assert kept == {name: schemas.text(schema) for name, schema in CURRENT.items()}, "run: make schemas"


def test_every_version_this_code_may_meet_has_its_snapshot() -> None:
    ours = versions.PROTOCOL
    for minor in range(max(0, ours.minor - versions.SKEW), ours.minor):
        assert str(versions.Version(ours.major, minor)) in RELEASED
    assert RELEASED


@pytest.mark.parametrize("version", RELEASED)
def test_nothing_of_a_released_version_is_gone_renamed_or_stricter(version: str) -> None:
    assert wire_changes.problems(RELEASED[version], CURRENT) == []


def rename(message: dict[str, Any]) -> None:
    message["properties"]["grant"] = message["properties"].pop("epoch")


def require(message: dict[str, Any]) -> None:
    message["properties"]["why"] = {"type": "string"}
    message["required"].append("why")


def retype(message: dict[str, Any]) -> None:
    message["properties"]["epoch"]["type"] = "string"


def tighten(message: dict[str, Any]) -> None:
    message["properties"]["reason"]["maxLength"] = 10


def redefine(message: dict[str, Any]) -> None:
    message["properties"]["reason"]["default"] = "none given"


def loosen(message: dict[str, Any]) -> None:
    message["required"].remove("epoch")


@pytest.mark.parametrize("change", [rename, require, retype, tighten, redefine, loosen])
def test_a_change_that_breaks_the_wire_is_noticed(change: Callable[[dict[str, Any]], None]) -> None:
    broken = copy.deepcopy(CURRENT)
    change(broken["attempts"]["HandBack"])
    assert wire_changes.problems(CURRENT, broken)


def test_a_message_or_a_value_that_is_gone_or_new_is_noticed() -> None:
    for verb in ("gone", "new"):
        broken = copy.deepcopy(CURRENT)
        values = broken["polling"]["Verb"]["enum"]
        values.remove("drain") if verb == "gone" else values.append("dance")
        assert any(verb in one for one in wire_changes.problems(CURRENT, broken))
    broken = copy.deepcopy(CURRENT)
    del broken["polling"]["Poll"]
    assert wire_changes.problems(CURRENT, broken) == ["polling.Poll: is gone"]


def test_a_new_field_with_a_default_and_a_new_message_break_nothing() -> None:
    changed = copy.deepcopy(CURRENT)
    changed["attempts"]["HandBack"]["properties"]["why"] = {"type": "string", "default": ""}
    changed["attempts"]["Pause"] = {"type": "object", "properties": {}}
    assert wire_changes.problems(CURRENT, changed) == []


@pytest.mark.parametrize(("version", "module", "name"), MESSAGES)
def test_what_a_released_version_sends_is_read(version: str, module: str, name: str) -> None:
    message: type[Message] = getattr(importlib.import_module(f"tradewind_protocol.{module}"), name)
    for everything in (False, True):
        sent = example({"$ref": f"#/$defs/{name}"}, RELEASED[version][module], everything)
        message.model_validate_json(json.dumps(sent))
        message.model_validate_json(json.dumps(with_futures(sent)))  # and of a version to come


@pytest.mark.parametrize(("version", "module", "name"), MESSAGES)
def test_what_is_sent_today_is_read_by_a_released_version(version: str, module: str, name: str) -> None:
    message: type[Message] = getattr(importlib.import_module(f"tradewind_protocol.{module}"), name)
    for everything in (False, True):
        made = example({"$ref": f"#/$defs/{name}"}, CURRENT[module], everything)
        sent = json.loads(message.model_validate_json(json.dumps(made)).model_dump_json())
        definitions = released(version, module)
        Validator({"$ref": f"#/$defs/{name}", "$defs": definitions}).validate(sent)


@cache
def released(version: str, module: str) -> dict[str, Any]:
    """The definitions of a module. That they are a schema is looked at once, and takes longer than to read a message by them."""
    definitions: dict[str, Any] = RELEASED[version][module]
    Validator.check_schema({"$defs": definitions})
    return definitions


_FORMATS = {
    "uuid": "0c9f4c5e-7d2e-4d0a-9a3b-1f2e3d4c5b6a",
    "date-time": "2026-03-01T12:00:00Z",
    "date": "2026-03-01",
}
_PATTERNED = {"^[0-9a-f]+$": "0af"}


def example(schema: dict[str, Any], definitions: dict[str, Any], everything: bool) -> Any:
    """A value that fits: only what must be there, or everything that may."""
    if "$ref" in schema:
        return example(definitions[schema["$ref"].rpartition("/")[2]], definitions, everything)
    if "const" in schema or "enum" in schema:
        return schema.get("const", (schema.get("enum") or [None])[-1 if everything else 0])
    if "anyOf" in schema:
        return example(schema["anyOf"][0], definitions, everything)
    kind = schema.get("type")
    if kind == "object":
        return {
            name: example(field, definitions, everything)
            for name, field in schema.get("properties", {}).items()
            if everything or name in schema.get("required", [])
        }
    if kind == "array":
        parts = schema.get("prefixItems")
        if parts is not None:
            return [example(one, definitions, everything) for one in parts]
        count = max(schema.get("minItems", 0), int(everything))
        return [example(schema.get("items", {}), definitions, everything)] * count
    if kind == "string":
        if "format" in schema:
            return _FORMATS[schema["format"]]
        return _PATTERNED.get(schema.get("pattern", ""), "a" * max(schema.get("minLength", 1), 1))
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return {"boolean": True, "null": None}.get(str(kind), {})


def with_futures(value: Any) -> Any:
    if isinstance(value, dict) and value:
        return {
            **{name: with_futures(one) for name, one in value.items()},
            "of_a_later_version": {"deep": [1]},
        }
    return [with_futures(one) for one in value] if isinstance(value, list) else value
