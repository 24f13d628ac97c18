"""What the messages of today cannot say to, or hear from, a side that speaks a released version.

The rules: a message, a field and a value stay, a field keeps its meaning and type, a new field has a default, and nobody
gets stricter about what is sent. A new value of an enum, and a looser limit, are found too: a reader of the released version
refuses them, so they may be sent only to who speaks the newer one; `ACCEPTED` lists those that are, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Schema = dict[str, Any]

_NEAREST = "an agent takes a code it does not know for the nearest one of its status"
_ANY_NAME = "a plane of 1.0 refuses a bundle whose name has a blank, as it did before; agents of 1.0 send no such name"
_NAME_OF_A_BUNDLE = r"pattern was ^[A-Za-z0-9][A-Za-z0-9._@:/-]*$ and is ^[^\x00-\x1f\x7f]+$"

_CANARY = "a canary is offered only to a task environment that says that it runs canaries"

ACCEPTED: Final[dict[str, str]] = {
    "errors.Code: new value 'wrong_site'": _NEAREST,
    "dags.Code: new value 'wrong_site'": _NEAREST,
    "triggers.Code: new value 'wrong_site'": _NEAREST,
    "attempts.WorkKind: new value 'canary'": _CANARY,
    "hosts.WorkKind: new value 'canary'": _CANARY,
    "operator.WorkKind: new value 'canary'": "no list of attempts has a canary",
    "polling.WorkKind: new value 'canary'": _CANARY,
    f"dags.BundleClaim.name: {_NAME_OF_A_BUNDLE}": _ANY_NAME,
    f"dags.Report.bundle: {_NAME_OF_A_BUNDLE}": _ANY_NAME,
    f"sessions.OpenSession.bundles: {_NAME_OF_A_BUNDLE}": _ANY_NAME,
}

_WORDS = frozenset({"title", "description", "default", "examples"})
_LOWER, _UPPER = (
    ("minimum", "exclusiveMinimum", "minLength", "minItems"),
    (
        "maximum",
        "exclusiveMaximum",
        "maxLength",
        "maxItems",
    ),
)


def problems(released: dict[str, Schema], current: dict[str, Schema]) -> list[str]:
    """Sentences about each break between two sets of schemas (module → its messages); none: they can talk."""
    found = []
    for module, messages in released.items():
        for name, schema in messages.items():
            where = f"{module}.{name}"
            now = current.get(module, {}).get(name)
            found += [f"{where}: is gone"] if now is None else list(_message(where, schema, now))
    return [one for one in found if one not in ACCEPTED]


def _message(where: str, old: Schema, new: Schema) -> Iterator[str]:
    if "enum" in old or "enum" in new:
        yield from _values(where, old, new)
        return
    before, after = old.get("properties", {}), new.get("properties", {})
    for field, schema in before.items():
        if field not in after:
            yield f"{where}.{field}: is gone"
            continue
        yield from _field(f"{where}.{field}", schema, after[field])
        if schema.get("default") != after[field].get("default"):
            yield f"{where}.{field}: another default, so what is left out means something else"
    for field in sorted(set(new.get("required", [])) - set(old.get("required", []))):
        yield f"{where}.{field}: is required, and the released version does not send it"
    for field in sorted(set(old.get("required", [])) - set(new.get("required", []))):
        yield f"{where}.{field}: may be left out, and the released version requires it"


def _field(where: str, old: Schema, new: Schema) -> Iterator[str]:
    if "enum" in old and "enum" in new:
        yield from _values(where, old, new)
    for word in (*_LOWER, *_UPPER):
        if old.get(word) != new.get(word):
            yield f"{where}: {word} was {old.get(word)} and is {new.get(word)}"
    for word in sorted((old.keys() | new.keys()) - _WORDS - {*_LOWER, *_UPPER, "enum"}):
        before, after = old.get(word), new.get(word)
        if isinstance(before, dict) and isinstance(after, dict):
            yield from _field(where, before, after)
        elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
            for one, other in zip(before, after, strict=True):
                if isinstance(one, dict) and isinstance(other, dict):
                    yield from _field(where, one, other)
                elif one != other:
                    yield f"{where}: {word} was {one} and is {other}"
        elif before != after:
            yield f"{where}: {word} was {before} and is {after}"


def _values(where: str, old: Schema, new: Schema) -> Iterator[str]:
    before, after = old.get("enum", []), new.get("enum", [])
    yield from (f"{where}: value {one!r} is gone" for one in before if one not in after)
    yield from (f"{where}: new value {one!r}" for one in after if one not in before)
