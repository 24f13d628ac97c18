"""Resources of an ARM template held against Azure's own types: names, what is required, what is read only, kinds and enumerations.

The types are those that the provider azapi has of each API version. To write providers/arm.json anew, for what the templates use:

    go mod download github.com/Azure/terraform-provider-azapi@v1.15.0
    python tests/private_network/arm_types.py $(go env GOMODCACHE)/github.com/!azure/terraform-provider-azapi@v1.15.0
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
TEMPLATES: Final = sorted((HERE.parents[1] / "deploy/private-link/azure").glob("*/azuredeploy.json"))
TYPES: Final = HERE / "providers" / "arm.json"

REQUIRED, READ_ONLY = 1, 2
_DEEPEST: Final = 7  # of what a template writes; types refer to each other in circles
_OF_THE_TEMPLATE: Final = {"type", "apiVersion", "name", "dependsOn", "copy"}


def resources() -> Iterator[tuple[Path, dict[str, Any]]]:
    for template in TEMPLATES:
        for resource in json.loads(template.read_text())["resources"]:
            yield template, resource


def faults(resource: dict[str, Any], types: dict[str, Any]) -> list[str]:
    """Each fault of a resource, with its place."""
    known = types[f"{resource['type']}@{resource['apiVersion']}"]
    known = {
        **known,
        "properties": {n: p for n, p in known["properties"].items() if n not in _OF_THE_TEMPLATE},
    }
    return list(_faults(_body(resource), known, resource["type"]))


def _body(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name not in _OF_THE_TEMPLATE}


def _faults(value: Any, known: dict[str, Any], place: str) -> Iterator[str]:
    if isinstance(value, str) and value.startswith("["):
        return  # an expression, which only Azure evaluates
    kind = known["kind"]
    if kind == "object" and isinstance(value, dict):
        value = {**value, **{one["name"]: [one["input"]] for one in value.get("copy", ())}}
        value.pop("copy", None)
        properties = known.get("properties")
        if properties is None:
            return
        for name, one in value.items():
            if name not in properties:
                yield f"{place}.{name}: no such property"
            elif properties[name]["flags"] & READ_ONLY:
                yield f"{place}.{name}: read only"
            else:
                yield from _faults(one, properties[name], f"{place}.{name}")
        for name, one in properties.items():
            if one["flags"] & REQUIRED and name not in value:
                yield f"{place}.{name}: missing"
    elif kind == "array" and isinstance(value, list):
        for number, one in enumerate(value):
            yield from _faults(one, known["of"], f"{place}[{number}]")
    elif kind == "enumeration":
        if value not in known["values"]:
            yield f"{place}: {value!r} is none of {', '.join(known['values'])}"
    elif kind != "any" and not isinstance(
        value, {"string": str, "boolean": bool, "integer": int}.get(kind, ())
    ):
        yield f"{place}: {value!r} is no {kind}"


def _type(types: list[dict[str, Any]], reference: dict[str, str], depth: int) -> dict[str, Any]:
    found = types[int(reference["$ref"].removeprefix("#/"))]
    match found["$type"]:
        case "StringLiteralType":
            return {"kind": "enumeration", "values": [found["value"]]}
        case "StringType":
            return {"kind": "string"}
        case "BooleanType":
            return {"kind": "boolean"}
        case "IntegerType":
            return {"kind": "integer"}
        case "ArrayType":
            return {"kind": "array", "of": _type(types, found["itemType"], depth)}
        case "UnionType":
            parts = [_type(types, one, depth) for one in found["elements"]]
            values = [value for one in parts for value in one.get("values", ())]
            return {"kind": "enumeration", "values": values} if values else {"kind": "any"}
        case "ObjectType" if depth:
            properties = {
                name: {"flags": one["flags"], **_type(types, one["type"], depth - 1)}
                for name, one in found["properties"].items()
            }
            return {"kind": "object", "properties": properties}
        case "ObjectType":
            return {"kind": "object"}
    return {"kind": "any"}


def _used(known: dict[str, Any], values: list[Any]) -> dict[str, Any]:
    """The type without the properties below names that no template uses: the whole of Azure's network is a megabyte."""
    if known["kind"] == "array":
        return {
            **known,
            "of": _used(known["of"], [one for value in values if isinstance(value, list) for one in value]),
        }
    if known["kind"] != "object" or "properties" not in known:
        return known
    objects = [
        {**value, **{one["name"]: [one["input"]] for one in value.get("copy", ())}}
        for value in values
        if isinstance(value, dict)
    ]
    properties = {}
    for name, one in known["properties"].items():
        inside = [value[name] for value in objects if name in value]
        properties[name] = _used(one, inside) if inside else {"flags": one["flags"], "kind": "any"}
    return {**known, "properties": properties}


def _written(provider: Path) -> dict[str, Any]:
    generated, found = provider / "internal/azure/generated", {}
    index = json.loads((generated / "index.json").read_text())
    for _, resource in resources():
        name = f"{resource['type']}@{resource['apiVersion']}"
        place = (index.get("resources") or index["Resources"])[name]
        reference = place if isinstance(place, str) else place.get("$ref") or place["RelativePath"]
        file = re.sub(r"#.*", "", reference)
        types = json.loads((generated / file).read_text())
        position = next(
            n for n, one in enumerate(types) if one["$type"] == "ResourceType" and one["name"] == name
        )
        whole = _type(types, types[position]["body"], _DEEPEST)
        alike = [_body(one) for _, one in resources() if one["type"] == resource["type"]]
        found[name] = _used(whole, alike)
    return dict(sorted(found.items()))


if __name__ == "__main__":
    TYPES.write_text(json.dumps(_written(Path(sys.argv[1])), indent=1) + "\n")
