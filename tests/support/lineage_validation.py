"""Checks OpenLineage events against the classes that the OpenLineage client generates from its specification. Run it with a
Python that has the client: events as JSON on standard input, one problem a line on standard output."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import attr
from openlineage.client import generated
from openlineage.client.generated.base import EventType, JobFacet, RunFacet


def classes() -> dict[str, type]:
    """Each class of the specification by the URL of its schema."""
    found = {}
    for module in pkgutil.iter_modules(generated.__path__):
        for each in vars(importlib.import_module(f"{generated.__name__}.{module.name}")).values():
            if isinstance(each, type) and attr.has(each) and hasattr(each, "_get_schema"):
                found[each._get_schema()] = each
    return found


KNOWN = classes()
OWN_FACETS = {RunFacet._get_schema(), JobFacet._get_schema()}
"""What a producer's own facets name as their schema."""


def problems(event: Mapping[str, Any]) -> Iterator[str]:
    datetime.fromisoformat(event["eventTime"])
    UUID(event["run"]["runId"])
    EventType(event["eventType"])
    if not (event["producer"] and event["job"]["namespace"] and event["job"]["name"]):
        yield "no producer, or a job without a name"
    if event["schemaURL"] not in KNOWN:
        yield f"unknown schema {event['schemaURL']}"
    for part in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        for name, facet in part.get("facets", {}).items():
            yield from facet_problems(name, facet)
    for dataset in (*event["inputs"], *event["outputs"]):
        if not (dataset.get("namespace") and dataset.get("name")):
            yield f"a dataset without a name: {dataset}"


def facet_problems(name: str, facet: Mapping[str, Any]) -> Iterator[str]:
    url = facet.get("_schemaURL")
    if not facet.get("_producer") or not url:
        yield f"facet {name} names no producer or no schema"
    elif url not in KNOWN:
        yield f"facet {name} has the unknown schema {url}"
    elif url not in OWN_FACETS:
        fields = [each for each in attr.fields(KNOWN[url]) if each.init]
        missing = {each.name for each in fields if each.default is attr.NOTHING} - facet.keys()
        if missing:
            yield f"facet {name} lacks {sorted(missing)}"


if __name__ == "__main__":
    for each in json.load(sys.stdin):
        for problem in problems(each):
            print(f"{each['job']['name']} {each['eventType']}: {problem}")
