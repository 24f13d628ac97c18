"""A site's own triggers, for the tests of the triggerer process."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TaskSuccessEvent, TriggerEvent


class Simple(BaseTrigger):
    """Arguments in, arguments out."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments = arguments

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"site_triggers.{type(self).__name__}", self.arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(self.arguments)


class Measures(Simple):
    """With a span of its own; says whether it is recorded."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from opentelemetry import trace

        with trace.get_tracer("mine").start_as_current_span("my.own.step") as span:
            recorded = span.is_recording()
        yield TriggerEvent(recorded)


class Waits(Simple):
    """Until a file exists; says in other files that it was killed, and that it was cleaned up."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        while not Path(self.arguments["until"]).exists():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.05)
        yield TriggerEvent("it is there")

    async def on_kill(self) -> None:
        await asyncio.sleep(float(self.arguments.get("kill_takes", 0)))
        Path(self.arguments["killed"]).write_text("killed")

    async def cleanup(self) -> None:
        if "cleaned" in self.arguments:
            Path(self.arguments["cleaned"]).write_text("cleaned")


class Sleeps(Simple):
    """For ever."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        await asyncio.sleep(100_000)
        yield TriggerEvent(None)


class Reads(Simple):
    """A connection and a variable, and makes one of each as Airflow 2's hooks do."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow.models import Connection as OldConnection
        from airflow.sdk import Connection, Variable
        from asgiref.sync import sync_to_async

        found = await sync_to_async(Connection.get)("site_only")
        variable = await sync_to_async(Variable.get)("site_only")
        old = OldConnection(conn_id="mine", uri="generic://me@there:1/x")
        yield TriggerEvent([found.host, variable, old.host])


class Breaks(Simple):
    """With an error."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        raise RuntimeError("this trigger breaks")
        yield TriggerEvent(None)


class CannotStart(Simple):
    """With an error that Airflow's runner does not catch."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        raise ValueError("this trigger cannot start")


class Moment(Simple):
    """With values JSON cannot say."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent({"at": datetime(2026, 1, 2, tzinfo=timezone.utc), "raw": b"\x00\xff"})


class Huge(Simple):
    """With more than an event may carry."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent("x" * 2_000_000)


class Ends(Simple):
    """Its task, without a worker, with an XCom."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TaskSuccessEvent(xcoms={"return_value": {"rows": 3}})


class ReadsVariable(Simple):
    """Through the Task SDK."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow.sdk import Variable
        from asgiref.sync import sync_to_async

        yield TriggerEvent(await sync_to_async(Variable.get)("colour"))


class FiresAndLingers(Simple):
    """Goes on after its event, as one that watches would."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent("fired")
        await asyncio.sleep(100_000)

    async def on_kill(self) -> None:
        Path(self.arguments["killed"]).write_text("killed")

    async def cleanup(self) -> None:
        Path(self.arguments["cleaned"]).write_text("cleaned")


class Watcher(BaseEventTrigger):
    """Of an asset: fires twice, then waits."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__()
        self.arguments = arguments

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "site_triggers.Watcher", self.arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(1)
        yield TriggerEvent(2)
        await asyncio.sleep(100_000)


class Dies(Simple):
    """And takes its process along."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        os._exit(7)
        yield TriggerEvent(None)


class Blocks(Simple):
    """The event loop."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        time.sleep(self.arguments["seconds"])  # noqa: ASYNC251 (the point)
        yield TriggerEvent("awake")


async def called_back(**arguments: Any) -> Any:
    """A callback of the site."""
    return arguments


class NoTrigger:
    """Something of the site that is no trigger, and leaves a mark when it is called."""

    def __init__(self, mark: str) -> None:
        Path(mark).write_text("called")


class Leaks(Simple):
    """A password that Airflow knows of: in its event, or in its error on a line that shows it."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow.sdk.log import mask_secret
        from asgiref.sync import sync_to_async

        await sync_to_async(mask_secret)("known-password")
        if "event" in self.arguments:
            yield TriggerEvent({"said": "in with known-password", "token": "a page's number", "rows": 3})
        raise RuntimeError("no sign-in with known-password")  # password = "SECRET-LINE-in-the-code"


async def returns_a_secret(**kwargs: Any) -> str:
    """A deadline's callback."""
    return "SECRET-RETURN-value"


async def breaks_with_a_secret(**kwargs: Any) -> str:
    raise RuntimeError("as planned")  # password = "SECRET-LINE-in-a-callback"


class ReadsConnection(Simple):
    """Of the site's environment, through the Task SDK, and says its password."""

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow.sdk import BaseHook
        from asgiref.sync import sync_to_async

        connection = await sync_to_async(BaseHook.get_connection)("site_http")
        yield TriggerEvent({"said": f"in with {connection.password}"})
