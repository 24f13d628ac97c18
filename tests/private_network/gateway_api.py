"""Write tests/private_network/providers/gateway-api.json: the schema of HTTPRoute, without its descriptions.

python tests/private_network/gateway_api.py "$(go mod download -json sigs.k8s.io/gateway-api@v1.6.3 | jq -r .Dir)"
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

KEPT: Final = Path(__file__).parent / "providers" / "gateway-api.json"
_CRD: Final = "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml"


def problems(route: dict[str, Any]) -> list[str]:
    """Why a Kubernetes API server with this version of Gateway API refuses the HTTPRoute, or would drop a part of it."""
    import cel
    import jsonschema

    schema = json.loads(KEPT.read_text())
    validator = jsonschema.Draft4Validator(_closed(schema))  # OpenAPI 3.0 is of its time
    found = [f"{each.json_path}: {each.message}" for each in validator.iter_errors(route)]
    for path, value, rule in _rules(schema, _with_defaults(schema, route), "$"):
        if "oldSelf" not in rule["rule"] and not cel.evaluate(rule["rule"], {"self": value}):
            found.append(f"{path}: {rule['message']}")
    return found


def _closed(schema: Any) -> Any:
    """What the schema does not name is an error, as `kubectl apply` has it."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(closed.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def _with_defaults(schema: dict[str, Any], value: Any) -> Any:
    """As an API server stores it, and its rules read it."""
    if isinstance(value, list):
        return [_with_defaults(schema["items"], one) for one in value]
    if not isinstance(value, dict) or "properties" not in schema:
        return value
    known = schema["properties"]
    defaults = {key: inner["default"] for key, inner in known.items() if "default" in inner}
    return {key: _with_defaults(known.get(key, {}), one) for key, one in {**defaults, **value}.items()}


def _rules(schema: dict[str, Any], value: Any, path: str) -> Iterator[tuple[str, Any, dict[str, str]]]:
    """Each rule of the schema with the value that it is about."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield path, value, rule
    if isinstance(value, dict):
        for key, inner in schema.get("properties", {}).items():
            if key in value:
                yield from _rules(inner, value[key], f"{path}.{key}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _rules(schema["items"], one, f"{path}[{number}]")


def _kept(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_kept(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _kept(value)
        for key, value in schema.items()
        if key != "description" or not isinstance(value, str)
    }


if __name__ == "__main__":
    import yaml

    crd = yaml.safe_load((Path(sys.argv[1]) / _CRD).read_text())
    [version] = [one for one in crd["spec"]["versions"] if one["name"] == "v1"]
    whole = _kept(version["schema"]["openAPIV3Schema"])
    whole["properties"]["metadata"] = {"type": "object", "additionalProperties": True}
    KEPT.write_text(json.dumps(whole, indent=1, sort_keys=True) + "\n")
