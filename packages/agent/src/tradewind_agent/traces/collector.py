"""Sending spans to the collector: in the background and in bounded memory. A collector that is away delays no work."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import httpx
import structlog

from tradewind_agent.kits import aiotasks, aiotime
from tradewind_agent.kits.backoff import Backoff
from tradewind_agent.traces import spans

log = structlog.get_logger(__name__)

MOST_WAITING: Final = 4 * 1024 * 1024
"""Bytes that wait for the collector. What is older is dropped: traces are for people, work goes on without them."""

_GATHER: Final = 1.0  # seconds in which what happens goes out together
_ANSWER: Final = 5.0  # seconds for the collector to take a request
_RETRY_FIRST, _RETRY_MOST = 1.0, 60.0
_LAST: Final = 2.0  # seconds for what is left when the agent ends
_AGAIN: Final = frozenset({429, 502, 503, 504})  # of OTLP/HTTP; other refusals are final


class Collector:
    """Takes spans, and sends them from entering to leaving the context. `record` and `relay` return at once, whatever
    the collector does."""

    def __init__(
        self,
        *,
        url: str,
        headers: dict[str, str],
        resource: spans.Attributes,
        tls: ssl.SSLContext | None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.sent = 0  # requests the collector took
        self.dropped = 0  # requests it refused, or never could be given
        self.on_sent: Callable[[str, int, int, float], None] | None = None  # to, bytes, status, seconds
        self._url = url
        self._headers = {"content-type": spans.CONTENT_TYPE, **headers}
        self._resource = resource
        self._tls = tls
        self._transport = transport
        self._own: list[spans.Span] = []
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._news = asyncio.Event()
        self._complained = False

    def record(self, span: spans.Span) -> None:
        """Send that span soon."""
        self._own.append(span)
        if len(self._own) >= 500:
            self._pack()
        self._news.set()

    def relay(self, request: bytes) -> None:
        """Send a request that a task has made."""
        self._put(request)
        self._news.set()

    async def __aenter__(self) -> Collector:
        self._sending = asyncio.create_task(self._run(), name="traces")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Make one last short try."""
        await aiotasks.cancel(self._sending)

    async def _run(self) -> None:
        verify = self._tls or True
        async with httpx.AsyncClient(transport=self._transport, verify=verify, timeout=_ANSWER) as client:
            try:
                await self._keep_sending(client)
            finally:
                self._pack()
                with suppress(asyncio.TimeoutError):  # spans that are left are lost: the agent ends now
                    await aiotime.within(self._send_all(client), _LAST)

    async def _keep_sending(self, client: httpx.AsyncClient) -> None:
        backoff = Backoff()
        while True:
            await self._news.wait()
            await asyncio.sleep(_GATHER)
            self._news.clear()
            self._pack()
            if await self._send_all(client):
                backoff.after_success()
            else:
                await asyncio.sleep(backoff.after_failure(first=_RETRY_FIRST, most=_RETRY_MOST))
                self._news.set()

    async def _send_all(self, client: httpx.AsyncClient) -> bool:
        """True when nothing is left to send; False to try again later."""
        while self._waiting:
            body, started, status = self._waiting[0], asyncio.get_running_loop().time(), 0
            try:
                answer = await client.post(self._url, content=body, headers=self._headers)
                status = answer.status_code
                problem, again = "" if answer.is_success else f"it answered {status}", status in _AGAIN
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                problem, again = type(error).__name__, True
            if self.on_sent is not None:
                self.on_sent(self._url, len(body), status, asyncio.get_running_loop().time() - started)
            if problem:
                self._complain(problem)
            elif self._complained:
                log.info("The collector takes traces again", action="traces_resumed", dropped=self.dropped)
                self._complained = False
            if problem and again:
                return False
            if self._waiting and self._waiting[0] is body:  # while it was on its way it may have been too old
                self._waiting.popleft()
                self._bytes -= len(body)
            self.dropped, self.sent = self.dropped + bool(problem), self.sent + (not problem)
        return True

    def _pack(self) -> None:
        if self._own:
            self._put(spans.request(self._own, self._resource))
            self._own = []

    def _put(self, body: bytes) -> None:
        self._waiting.append(body)
        self._bytes += len(body)
        while self._bytes > MOST_WAITING:
            self._bytes -= len(self._waiting.popleft())
            self.dropped += 1

    def _complain(self, problem: str) -> None:
        if not self._complained:
            log.warning(
                "The collector does not take traces; work goes on", action="traces_not_taken", reason=problem
            )
        self._complained = True
