"""A receiver of OpenLineage events, and events without what differs in each run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from support.http_sink import HttpSink

Event = dict[str, Any]


class Receiver(HttpSink):
    """Serves `POST /api/v1/lineage` on a free loopback port inside `with`."""

    name = "lineage receiver"

    def __init__(self, *, key: str = "") -> None:
        super().__init__()
        self.events: list[Event] = []
        self.refused = 0
        self._key = key

    def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        if self._key and headers.get("authorization") != f"Bearer {self._key}":
            self.refused += 1
            return 401
        if path != "/api/v1/lineage":
            return 404
        self.events.append(json.loads(body))
        return 201

    def of(self, dag_id: str) -> list[Event]:
        """The events of that Dag's runs and tasks, in the order of their arrival."""
        names = (dag_id, f"{dag_id}.")
        return [
            each
            for each in list(self.events)
            if each["job"]["name"] == names[0] or each["job"]["name"].startswith(names[1])
        ]


def told(events: list[Event]) -> list[tuple[str, str]]:
    """Job and type of each event, sorted."""
    return sorted((each["job"]["name"], each["eventType"]) for each in events)


def parent(event: Event) -> tuple[str, str]:
    """Job and run that the event names as its parent."""
    facet = event["run"]["facets"]["parent"]
    return facet["job"]["name"], facet["run"]["runId"]


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Each value of an event with its place."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from leaves(each, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from leaves(each, f"{place}[{number}]")
    else:
        yield place, value
