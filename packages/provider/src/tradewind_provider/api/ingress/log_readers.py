"""Noticing that the reader of a log has left: Airflow reads logs in a thread, which cannot."""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import QueryParams
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tradewind_provider import aiotasks
from tradewind_provider.services.log_relay import PAGE_AGENT, PAGE_BEGIN, READER, LogPage, LogReader

_LOG = re.compile(r"/api/v2/dags/.+/logs/\d+/?$")
_AHEAD = 4  # messages


class LogReaders:
    """Root middleware. The streams a log request opens are closed as soon as its client is gone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not _LOG.search(scope["path"]):
            await self._app(scope, receive, send)
            return
        reader = LogReader(_page(scope))
        token = READER.set(reader)
        watching = _Watching(receive, reader)
        try:
            await self._app(scope, watching.receive, send)
        finally:
            READER.reset(token)
            await watching.stop()


def _page(scope: Scope) -> LogPage | None:
    """The page of a log too large to be shown whole that is asked for; see `task_logs.TaskLogs`."""
    asked = QueryParams(scope["query_string"])
    begin = asked.get(PAGE_BEGIN, "")
    if not (begin.isascii() and begin.isdigit() and len(begin) < 19):
        return None
    return LogPage(agent=asked.get(PAGE_AGENT, ""), begin=int(begin))


class _Watching:
    """Reads ahead of the application, which reads nothing of a request without a body, until the client leaves."""

    def __init__(self, receive: Receive, reader: LogReader) -> None:
        self._inner = receive
        self._reader = reader
        self._messages: asyncio.Queue[Message] = asyncio.Queue(_AHEAD)
        self._left: Message | None = None
        self._pump = asyncio.create_task(self._run(), name="log reader")

    async def receive(self) -> Message:
        if self._left is not None and self._messages.empty():
            return self._left
        return await self._messages.get()

    async def _run(self) -> None:
        while self._left is None:
            message = await self._inner()
            if message["type"] == "http.disconnect":
                self._left = message
                self._reader.left()
            await self._messages.put(message)

    async def stop(self) -> None:
        await aiotasks.cancel(self._pump)
