"""What tests of logs share: the log of one task, the agent that ran it, and what it sends."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select, update

from tradewind_protocol import logs as wire
from tradewind_provider.airflow.database import create_session
from tradewind_provider.store.tables import AgentCommand, Attempt

from .scenes import Agent, Clock, Plane, queued

PATH = "dag_id=d/run_id=r/task_id=t/attempt=1.log"
TI = SimpleNamespace(
    dag_id="d",
    run_id="r",
    task_id="t",
    map_index=-1,
    try_number=1,
    hostname="eu-1.abc-1.invalid",
    triggerer_job=None,
    state="success",
)


async def ran(plane: Plane, clock: Clock, name: str = "eu-1") -> Agent:
    """An agent that has run the task."""
    agent = await plane.agent(name=name).opens()
    attempt_id = queued(clock)
    (offer,) = await agent.offers()
    assert (await agent.start(offer)).status_code == 200
    with create_session() as db:
        db.execute(
            update(Attempt)
            .where(Attempt.id == attempt_id)
            .values(dag_id="d", run_id="r", task_id="t", map_index=-1, try_number=1)
        )
    return agent


async def asked(agent: Agent) -> dict[str, Any]:
    """The arguments of the command the agent is told."""
    for _ in range(100):
        commands = (await agent.poll()).json()["commands"]
        if commands:
            assert commands[0]["verb"] == "stream_log"
            return dict(commands[0]["arguments"])
        await asyncio.sleep(0.02)
    raise AssertionError("the agent was not asked for a log")


async def sends(agent: Agent, wanted: dict[str, Any], number: int, text: str = "", **more: Any) -> Any:
    body = {
        "server": wanted["server"],
        "number": number,
        "content": wire.squeeze(text.encode()),
        "files": [{"name": "/site/attempt=1.log", "size": len(text)}] if number == 0 else [],
        **more,
    }
    return await agent.call("POST", f"/logs/{wanted['stream_id']}", body)


def commands_left() -> int:
    with create_session() as db:
        return len(db.scalars(select(AgentCommand)).all())


class Storage:
    """A remote log storage of a provider, of either form."""

    def __init__(self, *lines: str, newer: bool = True) -> None:
        self.lines = list(lines)
        if newer:
            self.stream = lambda path, ti: ([f"stored {path}"], [iter(self.lines)] if lines else [])

    def read(self, path: str, ti: Any) -> tuple[list[str], list[str] | None]:
        return [f"stored {path}"], ["\n".join(self.lines)] if self.lines else None
