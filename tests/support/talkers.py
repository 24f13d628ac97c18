"""Agents of the wire: they open a session, poll, and do nothing else."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

import httpx

from support import deployment
from tradewind.embedded.plane import Plane
from tradewind_protocol import paths, versions

GATEWAY = "127.0.0.9"
"""From there a cluster's gateway passes agents on, for a plane that has it in [tradewind] endpoint_gateways."""


class Talker:
    """One agent: its session, and a thread that polls. It carries out the commands that it gets. With an `endpoint` it
    comes by that private endpoint, from `address`."""

    def __init__(self, plane: Plane, token: str, name: str, **facts: Any) -> None:
        self.name = name
        self.findings: list[dict[str, str]] = facts.pop("findings", [])
        self._environments = facts.pop(
            "environments",
            [{"name": "default", "queues": ["default"], "slots": 8, "python": "3.12.3", "airflow": "3.3.2"}],
        )
        self._http = client(
            plane, endpoint=facts.pop("endpoint", ""), address=facts.pop("address", "10.20.0.7")
        )
        opened = self._http.post(
            paths.SESSIONS,
            headers={"Authorization": f"Bearer {token}"},
            json={
                "agent_id": str(uuid4()),
                "instance": str(uuid4()),
                "name": name,
                "components": facts.pop("components", ["worker"]),
                "environments": self._environments,
                "version": "0.1.0",
                "host": {
                    "hostname": f"{name}.example.com",
                    "platform": "Linux-6.1-x86_64",
                    "cpus": 8,
                    "memory_bytes": 32 * 2**30,
                    "pid": 4711,
                },
                **facts,
            },
        )
        assert opened.is_success, opened.text
        self._http.headers["Authorization"] = f"Bearer {opened.json()['session_token']}"
        self._silent = threading.Event()
        self._thread = threading.Thread(target=self._talk, name=f"talker {name}", daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        carried_out: list[str] = []
        while not self._silent.is_set():
            body = {
                "room": [],
                "findings": self.findings,
                "environments": self._environments,
                "carried_out": carried_out,
                "hold": 1,
            }
            try:
                answer = self._http.post(paths.POLL, json=body)
            except httpx.HTTPError:
                return
            if not answer.is_success:
                return
            carried_out = []
            for command in answer.json()["commands"]:
                self._carry_out(command)
                carried_out.append(command["id"])

    def _carry_out(self, command: dict[str, Any]) -> None:
        if command["verb"] == "set_slots":
            for environment in self._environments:
                if environment["name"] == command["arguments"]["environment"]:
                    environment["slots"] = command["arguments"]["slots"]

    def fall_silent(self) -> None:
        """Say nothing more, as after a power cut."""
        self._silent.set()
        self._thread.join(timeout=10)

    def leave(self) -> None:
        """Say goodbye. Idempotent."""
        if self._http.is_closed:
            return
        self.fall_silent()
        self._http.delete(paths.SESSIONS)
        self._http.close()


def client(plane: Plane, *, endpoint: str = "", address: str = "") -> httpx.Client:
    """A client of the Remote Execution API; with an `endpoint`, what a gateway passes on from `address` by it."""
    headers = {versions.HEADER: str(versions.PROTOCOL)}
    transport = None
    if endpoint:
        headers |= {paths.ENDPOINT_HEADER: endpoint, "X-Forwarded-For": address}
        transport = httpx.HTTPTransport(local_address=GATEWAY)
    return httpx.Client(base_url=plane.url + paths.PREFIX, headers=headers, transport=transport, timeout=30)


class Stand:
    """A place for such agents; they leave with it."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._token = ""
        self._talkers: list[Talker] = []

    def agent(self, name: str, **facts: Any) -> Talker:
        if not self._token:
            self._token = deployment.new_token(self._plane, f"stand-{uuid4().hex[:6]}")
        self._talkers.append(Talker(self._plane, self._token, name, **facts))
        return self._talkers[-1]

    def __enter__(self) -> Stand:
        return self

    def __exit__(self, *_: object) -> None:
        for talker in self._talkers:
            talker.fall_silent()
        for talker in self._talkers:
            talker.leave()
