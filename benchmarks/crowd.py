"""A crowd of simulated agents over real HTTP: they hold polls, and now and then one of them gets work."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from benchmarks import processes
from benchmarks.sides import BUNDLE, Side
from support.deployment import new_token
from tradewind_protocol import paths, versions

AGENTS = int(os.environ.get("BENCH_CROWD", "1000"))
CHANNEL = "tradewind"
"""On which the plane announces at commit that there is work; a listener hears it when API servers do."""
_WATCHED = ("API server", "scheduler", "database")


@dataclass
class Crowd:
    """Agents that are nothing but a connection each: a real one's own cost is measured elsewhere."""

    host: str
    port: int
    token: str
    polls: int = 0
    offers: list[tuple[str, float]] = field(default_factory=list)  # task instance, when its offer arrived
    problems: list[str] = field(default_factory=list)

    async def gather(self, count: int, *, seconds: float, queue: str) -> None:
        """Open all sessions, a few at a time; then `seconds` of polling begin. Sets `ready` at that moment."""
        opening = asyncio.Semaphore(8)
        tasks = [asyncio.create_task(self._agent(number, opening, queue)) for number in range(count)]
        self.ready.set()
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def __post_init__(self) -> None:
        self.ready = asyncio.Event()
        self.opened = 0

    async def _agent(self, number: int, opening: asyncio.Semaphore, queue: str) -> None:
        room = [{"environment": "default", "queues": [queue], "free": 1}]
        try:
            async with opening:
                reader, writer = await asyncio.open_connection(self.host, self.port)
                session = await self._ask(
                    reader, writer, paths.SESSIONS, self._introduction(number, queue), self.token
                )
                token = session["session_token"]
                self.opened += 1
            while True:
                answer = await self._ask(reader, writer, paths.POLL, {"room": room}, token)
                token = answer.get("session_token") or token
                self.polls += 1
                for offer in answer["offers"]:
                    self.offers.append((offer["workload"]["ti"]["id"], time.time()))
                    await self._serve(reader, writer, offer, token)
        except asyncio.CancelledError:
            raise
        except Exception as problem:
            self.problems.append(f"{type(problem).__name__}: {problem}"[:200])

    async def _serve(self, reader: Any, writer: Any, offer: dict[str, Any], token: str) -> None:
        """Take it and say that it failed: nobody is there to run it."""
        attempt, epoch = offer["attempt_id"], offer["epoch"]
        await self._ask(reader, writer, paths.start(attempt), {"epoch": epoch}, token)
        outcome = {"epoch": epoch, "kind": "failed", "reason": "a simulated agent runs nothing"}
        await self._ask(reader, writer, paths.finish(attempt), outcome, token)

    def _introduction(self, number: int, queue: str) -> dict[str, Any]:
        return {
            "agent_id": str(uuid4()),
            "instance": str(uuid4()),
            "name": f"crowd-{number}",
            "components": ["worker"],
            "environments": [
                {"name": "default", "queues": [queue], "slots": 1, "python": "3.11.0", "airflow": "3.3.2"}
            ],
            "bundles": [BUNDLE],
            "version": "0.1.0",
        }

    async def _ask(
        self, reader: Any, writer: Any, path: str, body: dict[str, Any], token: str
    ) -> dict[str, Any]:
        content = json.dumps(body).encode()
        head = (
            f"POST {paths.PREFIX}{path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {token}\r\n"
            f"{versions.HEADER}: {versions.PROTOCOL}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        writer.write(head.encode() + content)
        answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status = int(answer.split()[1])
        length = next(
            (int(line[15:]) for line in answer.split("\r\n") if line.startswith("content-length:")), 0
        )
        text = await reader.readexactly(length) if length else b""
        if status >= 300:
            raise RuntimeError(f"{path}: {status} {text[:200]!r}")
        return dict(json.loads(text)) if text else {}


def crowd(side: Side, seconds: float) -> dict[str, float]:
    """What so many agents cost the plane: idle for `seconds`, then with two tasks a second for as long; and what it
    costs without any. BENCH_STATEMENTS=1 prints what the database was asked while they were idle."""
    if side.agent is None:
        return {}
    side.agent.stop()  # the simulated ones serve its queue from here on
    return asyncio.run(_crowd(side, seconds))


async def _crowd(side: Side, seconds: float) -> dict[str, float]:
    token = await asyncio.to_thread(new_token, side.plane, f"crowd-{uuid4().hex[:6]}")
    one = Crowd("127.0.0.1", side.plane.ports[0], token)
    await asyncio.sleep(5)
    alone = await _watched(side, one, min(seconds, 20))
    began = time.monotonic()
    gathering = asyncio.create_task(one.gather(AGENTS, seconds=3600, queue="default"))
    while one.opened < AGENTS and not one.problems and time.monotonic() < began + 300:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    opened_after = time.monotonic() - began
    await asyncio.sleep(30)  # one whole hold, so that polls are spread as they stay
    try:
        idle = await _watched(side, one, seconds)
        if "BENCH_STATEMENTS" in os.environ:
            for calls, spent, text in side.database.statements():
                print(f"    {calls / seconds:8.2f}/s {spent / seconds:8.2f} ms/s {text[:150]}")
        trickle = asyncio.create_task(asyncio.to_thread(_trickle, side, seconds))
        with side.database.hearing(CHANNEL) as announced:
            busy = await _watched(side, one, seconds)
        await trickle
        await asyncio.sleep(3)
    finally:
        gathering.cancel()
        await asyncio.gather(gathering, return_exceptions=True)
    queued = {
        str(id_): moment.timestamp()
        for id_, moment in side.database.rows(
            "SELECT id, queued_dttm FROM task_instance WHERE queued_dttm IS NOT NULL"
        )
    }
    waits = sorted(1000 * (at - queued[ti]) for ti, at in one.offers if ti in queued)
    woken = sorted(
        1000 * (at - max(before))
        for _, at in one.offers
        if (before := [moment for moment, topic in announced if topic == "work" and moment <= at])
    )
    found = {
        "agents": float(one.opened),
        "seconds to open all": opened_after,
        "problems": float(len(one.problems)),
    }
    found |= {f"without agents, {name}": value for name, value in alone.items()}
    found |= {f"idle, {name}": value for name, value in idle.items()}
    found |= {f"trickle, {name}": value for name, value in busy.items()}
    found["offers"] = float(len(waits))
    for title, times in (("queued to offer", waits), ("announced to offer", woken)):
        for percent in (50, 95, 99) if times else ():
            found[f"{title}, ms: p{percent}"] = times[min(len(times) - 1, len(times) * percent // 100)]
    if one.problems:
        print("  crowd:", one.problems[0])
    if not waits:
        raise RuntimeError(f"none of {one.opened} simulated agents was offered one of the tasks")
    return found


async def _watched(side: Side, one: Crowd, seconds: float) -> dict[str, float]:
    side.database.forget()
    roles = {name: side.roles[name] for name in _WATCHED}
    cpu, asked, polls, began = processes.cpu(roles), side.database.asked(), one.polls, time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - began
    after, now = processes.cpu(roles), side.database.asked()
    found = {f"cores: {name}": (after[name] - cpu[name]) / took for name in roles}
    found["statements/s"] = (now.statements - asked.statements) / took
    found["transactions/s"] = (now.transactions - asked.transactions) / took
    found["polls/s"] = (one.polls - polls) / took
    return found


def _trickle(side: Side, seconds: float) -> None:
    """Runs of ten tasks, one every five seconds."""
    side.rest.unpause("burst")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        side.rest.trigger("burst")
        time.sleep(5)
