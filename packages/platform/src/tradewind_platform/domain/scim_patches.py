"""PATCH requests as identity providers send them, made into those that RFC 7644 describes.

Entra puts paths into the value, changes an address that is not there yet, and names attributes that the platform does
not keep. Okta sends a group's own id along. Each of these is put right here, and the library applies the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from scim2_models import Context, PatchOp, Path

from tradewind_platform.domain.scim_resources import POLICY, AnyResource, refusals
from tradewind_protocol.errors import Code, Refused

_OWN: Final = frozenset({"id", "meta", "schemas", "groups"})
"""Attributes that only the platform sets. Sent along with others, they are left out."""
_ENTRY: Final = re.compile(
    r'(?P<attribute>[A-Za-z]+)\[(?P<by>[A-Za-z]+) eq "(?P<is>[^"\\]*)"\]\.(?P<part>[A-Za-z]+)', re.I
)
_MEMBER: Final = re.compile(r'members\[value eq "([^"\\]+)"\]', re.I)
MOST: Final = 1000
"""Operations of a request. Each is applied to the whole resource, in the transaction that writes it; any number of members is one."""


def apply(resource: AnyResource, body: Mapping[str, Any]) -> None:
    """Change the resource as the PATCH request says. Raises Refused MALFORMED; the resource is as it was then."""
    operations = _operations(body)
    if operations is None:
        raise Refused(
            Code.MALFORMED,
            f"a PATCH request has a list of 1 to {MOST} Operations",
            scim_type="invalidSyntax",
        )
    model = type(resource)
    changed = resource.model_copy(deep=True)
    for asked in operations:
        for one in _plain(asked, changed):
            message = {"schemas": [str(PatchOp.__schema__)], "Operations": [one]}
            with refusals():
                patch = PatchOp.__class_getitem__(model).model_validate(
                    message, scim_ctx=Context.RESOURCE_PATCH_REQUEST, scim_policy=POLICY
                )
                patch.patch(changed, scim_policy=POLICY)
    for name in model.model_fields:
        setattr(resource, name, getattr(changed, name))


def member_changes(body: Mapping[str, Any]) -> list[tuple[bool, list[str]]] | None:
    """What each operation of a PATCH request does to the members of a group: True and the ids that it adds, or False and
    those that it removes. None for a request that does anything else, or that cannot be read.

    Groups have thousands of members, and most requests name a few of them.
    """
    operations = _operations(body)
    found = []
    for one in operations or ():
        change = _member_change(one) if isinstance(one, dict) else None
        if change is None:
            return None
        found.append(change)
    return found or None


def _member_change(asked: Mapping[str, Any]) -> tuple[bool, list[str]] | None:
    op, path, value = str(asked.get("op")).lower(), str(asked.get("path")), asked.get("value")
    if op == "remove" and value is None and (one := _MEMBER.fullmatch(path)) is not None:
        return False, [one[1]]
    if op not in ("add", "remove") or path.lower() != "members":
        return None
    named = [value] if isinstance(value, dict) else value
    if not isinstance(named, list) or not named:
        return None
    given = [one.get("value") if isinstance(one, dict) else None for one in named]
    ids = [one for one in given if isinstance(one, str) and one]
    return (op == "add", ids) if len(ids) == len(given) else None


def _operations(body: Mapping[str, Any]) -> list[Any] | None:
    found = body.get("Operations", body.get("operations"))
    return found if isinstance(found, list) and 0 < len(found) <= MOST else None


def _plain(asked: Any, resource: AnyResource) -> Iterator[dict[str, Any]]:
    """The operations, each with a path of an attribute that is kept, that one of a request stands for."""
    if not isinstance(asked, dict) or not isinstance(asked.get("op"), str):
        raise Refused(Code.MALFORMED, "an operation is an object with an `op`", scim_type="invalidSyntax")
    op, path, value = asked["op"].lower(), asked.get("path"), asked.get("value")
    if path is not None and not isinstance(path, str):
        raise Refused(Code.MALFORMED, "the path of an operation is text", scim_type="invalidPath")
    if not path:
        if op != "remove" and isinstance(value, dict):
            for name, part in value.items():
                if name.casefold() not in _OWN:
                    yield from _plain({"op": op, "path": name, "value": part}, resource)
            return
        yield {key: one for key, one in (("op", op), ("value", value)) if one is not None}
        return
    model = type(resource)
    with refusals():
        where = Path.__class_getitem__(model)(path)
    if where.resolve() is None:
        return
    if op == "remove" and isinstance(value, list):
        value = [{"value": one.get("value")} if isinstance(one, dict) else one for one in value]
    elif op != "remove" and (entry := _ENTRY.fullmatch(path)) is not None and not where.get(resource):
        # There is no such entry yet, or it has no such part.
        path, value = _with_entry(resource, entry, value)
        op = "replace"
    made = {"op": op, "path": path}
    if value is not None:
        made["value"] = value
    yield made


def _with_entry(resource: AnyResource, found: re.Match[str], value: Any) -> tuple[str, list[Any]]:
    """All entries of the attribute, with the one that an operation names and that has no such part yet."""
    name, by, equals, part = found["attribute"], found["by"], found["is"], found["part"]
    dumped: list[dict[str, Any]] = resource.model_dump().get(_spelled(resource, name), [])
    others: list[dict[str, Any]] = []
    same: dict[str, Any] = {by: equals}
    for one in dumped:
        if str(one.get(by, "")).casefold() == equals.casefold():
            same = one
        else:
            others.append(one)
    return name, [*others, {**same, part: value}]


def _spelled(resource: AnyResource, name: str) -> str:
    return next((key for key in resource.model_dump() if key.casefold() == name.casefold()), name)
