"""A receiver of OpenLineage events, and events without what differs in each run."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Event = dict[str, Any]


class Receiver:
    """Serves `POST /api/v1/lineage` on a free loopback port inside `with`."""

    name = "lineage receiver"

    def __init__(self, *, key: str = "") -> None:
        self.events: list[Event] = []
        self.refused = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                status = 404 if self.path != "/api/v1/lineage" else 201
                if key and self.headers.get("authorization") != f"Bearer {key}":
                    status, receiver.refused = 401, receiver.refused + 1
                if status == 201:
                    receiver.events.append(json.loads(body))
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

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
