"""Checks OpenLineage events by the JSON schemas of the specification.

`openlineage/` has copies (Apache License 2.0, github.com/OpenLineage/OpenLineage) of those that these events name: the specification's
core, and a file for each facet. A facet of a producer's own names the core's `RunFacet` or `JobFacet` as its schema, and is held against
that. The schemas that Airflow's provider ships for its own facets are left out: they demand fields that its events do not have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable

SPECIFICATION = Path(__file__).parent / "openlineage"

FORMATS = FormatChecker(["uuid"])


@FORMATS.checks("date-time", raises=ValueError)
def _is_a_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@FORMATS.checks("uri", raises=ValueError)
def _is_a_uri(value: object) -> bool:
    return not isinstance(value, str) or bool(urlsplit(value).scheme)


@cache
def _registry() -> Registry[Any]:
    schemas = [json.loads(each.read_text()) for each in SPECIFICATION.glob("*.json")]
    return Registry().with_resources((each["$id"], Resource.from_contents(each)) for each in schemas)


def problems(event: Mapping[str, Any]) -> list[str]:
    """What is not as the schemas say that the event and each of its facets name."""
    whole = f"{event['job']['name']} {event['eventType']}"
    found = list(_violations(event, event["schemaURL"], whole))
    for place, facet in _facets(event):
        found += _violations(facet, facet.get("_schemaURL", ""), f"{whole}: {place}")
    return found


def schemas(event: Mapping[str, Any]) -> set[str]:
    """The files of schemas that the event and its facets name."""
    named = [event["schemaURL"], *(facet["_schemaURL"] for _, facet in _facets(event))]
    return {each.partition("#")[0] for each in named}


def copies() -> set[str]:
    """The files of schemas that there are copies of."""
    return set(_registry())


def _facets(event: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    parts = {"run": event["run"], "job": event["job"]}
    for kind in ("inputs", "outputs"):
        parts |= {f"{kind}[{number}]": each for number, each in enumerate(event.get(kind, ()))}
    for name, part in parts.items():
        for kind in ("facets", "inputFacets", "outputFacets"):
            for facet, value in (part.get(kind) or {}).items():
                yield f"{name}.{facet}", value


def _violations(value: Mapping[str, Any], schema: str, place: str) -> Iterator[str]:
    if not schema:
        yield f"{place}: names no schema"
        return
    validator = Draft202012Validator({"$ref": schema}, registry=_registry(), format_checker=FORMATS)
    try:
        for each in validator.iter_errors(value):
            yield f"{place}{each.json_path.removeprefix('$')}: {each.message[:300]}"
    except Unresolvable:
        yield f"{place}: its schema {schema} is not in {SPECIFICATION.name}/"
